import { z } from 'zod'
import { NODE_NAME_PATTERN } from './enroll-command.ts'
import { nodeIdSchema, uuidSchema } from './ids.ts'
import { instantSchema } from './text.ts'

/** Prefix + 32 random bytes in base64url. Only the SHA-256 of the whole text is stored. */
export const ENROLLMENT_PREFIX = 'sonde_e_'
export const ENROLLMENT_PATTERN = /^sonde_e_[A-Za-z0-9_-]{43}$/
/** Life of an enrollment token, in milliseconds; it works once. */
export const ENROLLMENT_TTL_MS = 10 * 60_000
/** Life of a node's credential, in milliseconds; beats renew it from half of it on. */
export const CREDENTIAL_TTL_MS = 3_600_000
/** The longest body of an enrollment or of a proof. */
export const ENROLLMENT_BODY_BYTES = 4096

/**
 * The proof of a node's key: a JWT with `sub` the node id, `iat` with milliseconds and newer than that of the proof before,
 * and `aud` as here. For an enrollment `jti` is the SHA-256 of the enrollment token in base64url, so that it fits no other.
 */
export const PROOF = {
  algorithm: 'EdDSA',
  audience: { enroll: 'sonde:enroll', credential: 'sonde:credential' },
  lifeSeconds: 60,
  /** How far the clocks of a host and of the database may be apart. */
  skewSeconds: 60,
} as const

/** A node's name: 1 to 64 printable characters. */
export const nodeNameSchema = z.string().regex(NODE_NAME_PATTERN, 'must be 1 to 64 printable characters')

export const enrollmentCreateInput = z.strictObject({ sessionId: uuidSchema, name: nodeNameSchema })
/** The only answer that ever holds the token itself. */
export const enrollmentCreatedSchema = z.object({
  token: z.string(),
  enrollmentId: uuidSchema,
  name: z.string(),
  sessionId: uuidSchema,
  expiresAt: instantSchema,
})
export type EnrollmentCreated = z.infer<typeof enrollmentCreatedSchema>

const proof = z.string().min(1).max(2048)

/** Body of `POST /node/enroll`. */
export const enrollInput = z.strictObject({
  token: z.string().max(256),
  nodeId: nodeIdSchema,
  name: nodeNameSchema,
  /** Ed25519, 32 bytes in base64url. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url'),
  proof,
})
export type EnrollInput = z.infer<typeof enrollInput>

/** Body of `POST /node/credential`. */
export const credentialInput = z.strictObject({ nodeId: nodeIdSchema, proof })
export type CredentialInput = z.infer<typeof credentialInput>

/** A node's token, bound to the node. */
export const nodeCredentialSchema = z.object({ token: z.string(), expiresAt: instantSchema })
export type NodeCredential = z.infer<typeof nodeCredentialSchema>
