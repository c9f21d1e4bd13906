import {
  CREDENTIAL_TTL_MS,
  mayDo,
  newId,
  SondeError,
  type CredentialInput,
  type NodeCredential,
} from '@sonde/contracts'
import { hashToken, inTransaction, mintToken, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { readAccess } from '../sessions/index.ts'
import { insertToken } from '../tokens/index.ts'
import { verifyProof } from './proof.ts'
import { attachRevoked, permissionDenied } from './refusal.ts'
import { lockNode, lockPair } from './store.ts'
import {
  deleteEndedCredentials,
  insertRenewal,
  readEnrollmentOf,
  readNow,
  readPublicKey,
  writeProof,
  type Enrollment,
} from './store-credentials.ts'

/**
 * Gives an enrolled node a credential for its key alone: at each start of the daemon, and after an absence that was longer
 * than the life of its last one. Throws `auth.proof_invalid`, the same for a node that is not known, `auth.proof_stale`,
 * `runtimenode.attach_revoked`, else `runtimenode.permission_denied`.
 */
export const proveKey = async ({ db }: Resources, { nodeId, proof }: CredentialInput): Promise<NodeCredential> => {
  const publicKey = await readPublicKey(db, nodeId)
  const enrollment = await readEnrollmentOf(db, nodeId)
  if (!publicKey || !enrollment) throw new SondeError('auth.proof_invalid')
  const now = await readNow(db)
  const provedAt = await verifyProof({ proof, publicKey, purpose: 'credential', nodeId, now })
  return inTransaction(db, async (trx) => {
    await lockNode(trx, nodeId)
    return issueCredential(trx, { nodeId, enrollment, publicKey, provedAt })
  })
}

/** Under the node's lock, which orders it with a revocation. */
export const issueCredential = async (
  trx: Transaction<Schema>,
  issue: { nodeId: string; enrollment: Enrollment; publicKey: Buffer; provedAt: Date },
): Promise<NodeCredential> => {
  const { nodeId, publicKey, provedAt } = issue
  const { name, sessionId, participantId } = issue.enrollment
  const access = await readAccess(trx, { sessionId, participantId }, 'share')
  if (!access || !mayDo(access.role, 'node.attach')) throw permissionDenied()
  const slot = await lockPair(trx, nodeId, sessionId)
  if (slot?.state === 'revoked') throw attachRevoked(nodeId, sessionId)
  if (!(await writeProof(trx, { nodeId, publicKey, provedAt }))) throw new SondeError('auth.proof_stale')
  await deleteEndedCredentials(trx, nodeId)
  const token = mintToken('node')
  const expiresAt = await insertToken(trx, {
    id: newId(),
    kind: 'node',
    sha256: hashToken(token),
    name,
    participantId,
    sessionId,
    ttlMs: CREDENTIAL_TTL_MS,
    credentialOf: nodeId,
  })
  return { token, expiresAt: expiresAt.toISOString() }
}

/**
 * A new credential for an accepted beat whose own one has passed half of its life, which stays good until its end: so an
 * answer that is lost costs nothing, and the next beat brings another. One that cannot be made now is left to the next beat.
 */
export const renewedCredential = async (
  { db, log }: Resources,
  principal: Principal,
): Promise<NodeCredential | undefined> => {
  if (!principal.isRenewalDue) return undefined
  const token = mintToken('node')
  try {
    const expiresAt = await insertRenewal(db, principal.tokenId, token)
    return expiresAt && { token, expiresAt: expiresAt.toISOString() }
  } catch (error) {
    log.warn({ err: error, nodeId: principal.nodeId }, "a node's credential was not renewed; the next beat tries again")
    return undefined
  }
}
