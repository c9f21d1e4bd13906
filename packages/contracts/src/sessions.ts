import { z } from 'zod'
import { uuidSchema } from './ids.ts'
import { roleSchema } from './role-schema.ts'
import { humanText, instantSchema } from './text.ts'
import { versionSchema } from './version.ts'

/** Life of a session. Nodes attach and captures start only in `provisioning` and `active`. */
export const SessionState = {
  provisioning: 'provisioning',
  active: 'active',
  archived: 'archived',
  closed: 'closed',
  purgeRequested: 'purge_requested',
  purged: 'purged',
} as const
export type SessionState = (typeof SessionState)[keyof typeof SessionState]

export const MembershipState = {
  pending: 'pending',
  active: 'active',
  suspended: 'suspended',
  revoked: 'revoked',
} as const
export type MembershipState = (typeof MembershipState)[keyof typeof MembershipState]

export const sessionSchema = z.object({
  id: uuidSchema,
  name: z.string(),
  state: z.enum(SessionState),
  minClientVersion: versionSchema.nullable(),
  /** The caller's own role. */
  role: roleSchema,
  createdAt: instantSchema,
  archivedAt: instantSchema.nullable(),
})
export type Session = z.infer<typeof sessionSchema>

export const memberSchema = z.object({
  participantId: uuidSchema,
  name: z.string(),
  role: roleSchema,
  state: z.enum(MembershipState),
  since: instantSchema,
})
export type Member = z.infer<typeof memberSchema>

export const sessionCreateInput = z.strictObject({ name: humanText(128), minClientVersion: versionSchema.optional() })
export const sessionIdInput = z.strictObject({ sessionId: uuidSchema })
/** Newest first. `cursor` is the last id of the page before. */
export const sessionListInput = z.strictObject({
  includeArchived: z.boolean().default(false),
  limit: z.int().min(1).max(200).default(100),
  cursor: uuidSchema.optional(),
})
export const setFloorInput = z.strictObject({ sessionId: uuidSchema, minClientVersion: versionSchema })
export const addMemberInput = z.strictObject({ sessionId: uuidSchema, participantId: uuidSchema, role: roleSchema })
export const removeMemberInput = z.strictObject({ sessionId: uuidSchema, participantId: uuidSchema })
