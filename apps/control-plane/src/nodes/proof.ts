import { createPublicKey } from 'node:crypto'
import { PROOF, SondeError } from '@sonde/contracts'
import { errors, jwtVerify } from 'jose'

export interface ProofCheck {
  proof: string
  /** Ed25519, 32 bytes. */
  publicKey: Buffer
  purpose: keyof typeof PROOF.audience
  nodeId: string
  /** What the proof must be bound to, for an enrollment. */
  jti?: string
  /** By the database's clock. */
  now: Date
}

/**
 * Verifies that the node signed the proof with its key, for this purpose, lately; answers when, by the node's clock. Throws
 * `auth.proof_invalid`, and `auth.proof_stale` where the clocks are apart or it came late.
 */
export const verifyProof = async (check: ProofCheck): Promise<Date> => {
  const { proof, publicKey, purpose, nodeId, jti, now } = check
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }
  try {
    const { payload } = await jwtVerify(proof, createPublicKey({ key: jwk, format: 'jwk' }), {
      algorithms: [PROOF.algorithm],
      audience: PROOF.audience[purpose],
      subject: nodeId,
      requiredClaims: ['exp', 'jti'],
      maxTokenAge: PROOF.lifeSeconds,
      clockTolerance: PROOF.skewSeconds,
      currentDate: now,
    })
    if (jti !== undefined && payload.jti !== jti) throw new SondeError('auth.proof_invalid')
    return new Date(payload.iat! * 1000)
  } catch (error) {
    if (error instanceof SondeError) throw error
    const isTime =
      error instanceof errors.JWTExpired ||
      (error instanceof errors.JWTClaimValidationFailed && (error.claim === 'iat' || error.claim === 'exp'))
    // Without the cause, which holds what the proof says.
    throw new SondeError(isTime ? 'auth.proof_stale' : 'auth.proof_invalid')
  }
}
