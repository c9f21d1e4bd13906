import { createHash } from 'node:crypto'
import { callErrorOf } from '@sonde/client'
import { CREDENTIAL_TTL_MS, newId, nodeCredentialSchema, type Clock, type NodeCredential } from '@sonde/contracts'
import { CALL_TIMEOUT_MS, callWithin } from './call.ts'
import { publicKeyOf, signProof, type NodeKey } from './node-key.ts'
import { wireErrorOf } from './upload.ts'

export interface LaneCredentialOptions {
  url: string
  nodeId: string
  clock: Clock
  /** What the lane begins with; absent: nothing until the key was proved. */
  token: string | undefined
  key: NodeKey | undefined
  /** Another token is to be used from now on. */
  onChanged: (credential: NodeCredential) => void
}

/** The token that a lane calls with, and the way to another one. */
export interface LaneCredential {
  readonly canProve: boolean
  readonly isKnown: boolean
  /** A renewal should have come long ago: its answers were lost. */
  readonly isOverdue: boolean
  /** For the next connection; waits for the first one. Rejects once closed. */
  token(): Promise<string>
  accept(credential: NodeCredential): void
  /** Proves the key, or enrolls with it, for a new credential. Throws `SondeError`. */
  prove(): Promise<void>
  close(reason: Error): void
}

/** Beats renew from half of a credential's life on; past this part of it the key is proved again. */
const OVERDUE = 0.75

export const createLaneCredential = (options: LaneCredentialOptions): LaneCredential => {
  const { url, nodeId, clock, key, onChanged } = options
  const first = Promise.withResolvers<string>()
  // Whoever waits is told; a lane that ends before may have nobody waiting.
  first.promise.catch(() => undefined)
  let token = options.token
  let sinceMs = clock.monotonicMs()
  if (token !== undefined) first.resolve(token)

  const accept = (credential: NodeCredential): void => {
    token = credential.token
    sinceMs = clock.monotonicMs()
    first.resolve(token)
    onChanged(credential)
  }

  const post = (path: string, body: object): Promise<NodeCredential> =>
    callWithin(clock, CALL_TIMEOUT_MS, async (signal) => {
      const response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
        redirect: 'error',
      })
      const text = await response.text()
      if (!response.ok) throw wireErrorOf(response.status, text)
      return nodeCredentialSchema.parse(JSON.parse(text))
    })

  const enroll = async (pem: string, enrollment: NonNullable<NodeKey['enrollment']>): Promise<NodeCredential> => {
    // Bound to this very enrollment token.
    const jti = createHash('sha256').update(enrollment.token).digest('base64url')
    const proof = await signProof(pem, { purpose: 'enroll', nodeId, jti, nowMs: clock.now() })
    return post('/node/enroll', { ...enrollment, nodeId, publicKey: publicKeyOf(pem), proof })
  }

  const obtain = async ({ pem, isNew, enrollment }: NodeKey): Promise<NodeCredential> => {
    if (isNew && enrollment) return enroll(pem, enrollment)
    try {
      const proof = await signProof(pem, { purpose: 'credential', nodeId, jti: newId(), nowMs: clock.now() })
      return await post('/node/credential', { nodeId, proof })
    } catch (thrown) {
      // A key that was never taken in, for example because the daemon was stopped first.
      if (enrollment && callErrorOf(thrown).code === 'auth.proof_invalid') return enroll(pem, enrollment)
      throw thrown
    }
  }

  return {
    canProve: key !== undefined,
    get isKnown() {
      return token !== undefined
    },
    get isOverdue() {
      return key !== undefined && clock.monotonicMs() - sinceMs > OVERDUE * CREDENTIAL_TTL_MS
    },
    token: () => (token === undefined ? first.promise : Promise.resolve(token)),
    accept,
    prove: async () => {
      if (key) accept(await obtain(key))
    },
    close: (reason) => first.reject(reason),
  }
}
