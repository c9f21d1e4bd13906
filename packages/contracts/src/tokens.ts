import { z } from 'zod'
import { uuidSchema } from './ids.ts'
import { roleSchema } from './role-schema.ts'
import { humanText, instantSchema } from './text.ts'

/** A person's token acts by membership role; a node's token acts for its owner in one session and calls only what a node calls. */
export const TokenKind = { person: 'person', node: 'node' } as const
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind]

/** Prefix + 32 random bytes in base64url. Only the SHA-256 of the whole text is stored. */
export const TOKEN_PREFIX = { person: 'sonde_p_', node: 'sonde_n_' } as const satisfies Record<TokenKind, string>
export const TOKEN_PATTERN = /^sonde_[pn]_[A-Za-z0-9_-]{43}$/

export const DAY_MS = 86_400_000
/** @default 90 days, in milliseconds */
const ttlMs = z
  .int()
  .min(60_000)
  .max(366 * DAY_MS)
  .default(90 * DAY_MS)

/**
 * `person`: a token for another person, with a participant and a membership of `role` in the session.
 * `node`: a token for a daemon of the caller's own, in this session.
 */
export const tokenCreateInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('person'),
    sessionId: uuidSchema,
    name: humanText(128),
    role: roleSchema,
    ttlMs,
  }),
  z.strictObject({ kind: z.literal('node'), sessionId: uuidSchema, name: humanText(128), ttlMs }),
])
/** The only answer that ever holds the token itself. */
export const tokenCreatedSchema = z.object({
  token: z.string(),
  tokenId: uuidSchema,
  kind: z.enum(TokenKind),
  participantId: uuidSchema,
  sessionId: uuidSchema.nullable(),
  expiresAt: instantSchema,
})
export type TokenCreated = z.infer<typeof tokenCreatedSchema>

export const tokenListInput = z.strictObject({ sessionId: uuidSchema })
export const tokenSchema = z.object({
  tokenId: uuidSchema,
  kind: z.enum(TokenKind),
  name: z.string(),
  participantId: uuidSchema,
  sessionId: uuidSchema.nullable(),
  createdAt: instantSchema,
  expiresAt: instantSchema,
  revokedAt: instantSchema.nullable(),
})
export type Token = z.infer<typeof tokenSchema>
export const tokenRevokeInput = z.strictObject({ sessionId: uuidSchema, tokenId: uuidSchema })

/** Whom a token stands for. `sessionId` is set for a node's token, which acts in that session alone. */
export const tokenSelfSchema = z.object({
  kind: z.enum(TokenKind),
  participantId: uuidSchema,
  sessionId: uuidSchema.nullable(),
})
export type TokenSelf = z.infer<typeof tokenSelfSchema>
