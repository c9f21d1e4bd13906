import { z } from 'zod'
import { uuidSchema } from './ids.ts'
import { instantSchema } from './text.ts'

/**
 * How much of a line is kept. `full`: the verb, its subcommand, keys, known option words and the numbers that steer it. `values`:
 * all but the value of the common writes. `keys`: as `full`, the keys masked too. `none`: all. Secrets (AUTH, CONFIG SET, ACL
 * SETUSER and the like) are masked at each of them.
 */
export const RedactionLevel = { full: 'full', values: 'values', keys: 'keys', none: 'none' } as const
export type RedactionLevel = (typeof RedactionLevel)[keyof typeof RedactionLevel]

/** What is masked inside of keys. `email`: addresses. `token`: runs of 20 or more letters, digits, `-` and `_` with a digit and a letter. */
export const KeyPattern = { email: 'email', token: 'token' } as const
export type KeyPattern = (typeof KeyPattern)[keyof typeof KeyPattern]

export const redactionRulesSchema = z.strictObject({
  level: z.enum(RedactionLevel),
  keyPatterns: z.array(z.enum(KeyPattern)).max(8).default([]),
  /** At level `keys`: a key is kept up to its first `:`. */
  keepKeyPrefix: z.boolean().default(false),
})
export type RedactionRules = z.infer<typeof redactionRulesSchema>

/** The one text of rules that is hashed, so that a daemon and the control plane can tell whether they mean the same. */
export const canonicalRules = ({ level, keyPatterns, keepKeyPrefix }: RedactionRules): string =>
  JSON.stringify({ keepKeyPrefix, keyPatterns: [...new Set(keyPatterns)].toSorted(), level })

export const policySchema = z.object({
  sessionId: uuidSchema,
  /** Counts up by one with each change, from 1. */
  revision: z.int().min(1),
  rules: redactionRulesSchema,
  /** SHA-256 of the rules in hex. */
  sha256: z.string(),
  /** Chunks of older revisions are refused. */
  minRevision: z.int().min(0),
  /** Null: the default of the control plane. */
  createdBy: uuidSchema.nullable(),
  createdAt: instantSchema,
})
export type Policy = z.infer<typeof policySchema>

export const policySetInput = z.strictObject({
  sessionId: uuidSchema,
  rules: redactionRulesSchema,
  /** Also ends running captures under older revisions, and refuses what of them is not stored yet. @default false */
  strict: z.boolean().default(false),
})
