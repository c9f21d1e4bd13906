import {
  ENROLLMENT_PATTERN,
  newId,
  SondeError,
  type EnrollInput,
  type EnrollmentCreated,
  type NodeCredential,
  type enrollmentCreateInput,
} from '@sonde/contracts'
import { hashToken, inTransaction, mintEnrollmentToken } from '@sonde/database'
import type { z } from 'zod'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { requireAccess } from '../sessions/index.ts'
import { issueCredential } from './credential.ts'
import { verifyProof } from './proof.ts'
import { permissionDenied } from './refusal.ts'
import { claimNode } from './store.ts'
import {
  insertEnrollment,
  readEnrollment,
  readNow,
  readPublicKey,
  takeEnrollment,
  type Enrollment,
} from './store-credentials.ts'

/**
 * Makes a token with which one host may join a session as a node of the caller's, once, within 10 minutes. For those who may
 * make tokens for nodes; throws as `requireAccess`.
 */
export const createEnrollment = ({
  resources,
  principal: { participantId },
  input: { sessionId, name },
}: {
  resources: Resources
  principal: Principal
  input: z.output<typeof enrollmentCreateInput>
}): Promise<EnrollmentCreated> =>
  inTransaction(resources.db, async (trx) => {
    await requireAccess(trx, { sessionId, participantId, action: 'token.createNode', live: true, lock: 'share' })
    const enrollmentId = newId()
    const token = mintEnrollmentToken()
    const expiresAt = await insertEnrollment(trx, { id: enrollmentId, token, name, sessionId, participantId })
    return { token, enrollmentId, name, sessionId, expiresAt: expiresAt.toISOString() }
  })

/**
 * Takes a node in by an enrollment token: its key is stored, and it gets its first credential. Again by the same node with the
 * same key it is a replay, for an answer that was lost. Throws `enrollment.*`, `auth.proof_*`, `runtimenode.attach_revoked`,
 * else `runtimenode.permission_denied`; a refused call changes nothing.
 */
export const enroll = async ({ db, log }: Resources, input: EnrollInput): Promise<NodeCredential> => {
  const { token, nodeId, proof } = input
  const publicKey = Buffer.from(input.publicKey, 'base64url')
  const enrollment = ENROLLMENT_PATTERN.test(token) ? await readEnrollment(db, token) : undefined
  if (!enrollment) throw new SondeError('enrollment.invalid')
  const jti = hashToken(token).toString('base64url')
  const provedAt = await verifyProof({ proof, publicKey, purpose: 'enroll', nodeId, jti, now: await readNow(db) })
  if (enrollment.name !== input.name) throw foreign(enrollment)
  const credential = await inTransaction(db, async (trx) => {
    const node = await claimNode(trx, nodeId, enrollment.participantId)
    if (node.ownerId !== enrollment.participantId) throw permissionDenied()
    if (!(await takeEnrollment(trx, enrollment.id, nodeId))) {
      const taken = await readEnrollment(trx, token)
      if (taken?.nodeId !== nodeId) throw new SondeError(taken?.nodeId ? 'enrollment.used' : 'enrollment.expired')
    }
    const known = await readPublicKey(trx, nodeId)
    if (known && !known.equals(publicKey)) throw new SondeError('enrollment.key_mismatch')
    return issueCredential(trx, { nodeId, enrollment, publicKey, provedAt })
  })
  log.info({ nodeId, enrollmentId: enrollment.id, sessionId: enrollment.sessionId }, 'a node was enrolled')
  return credential
}

const foreign = ({ name }: Enrollment): SondeError =>
  new SondeError('enrollment.foreign', {
    message: `This enrollment token was made for the node ${name}. Start the daemon with --name ${name}, or make another token.`,
  })
