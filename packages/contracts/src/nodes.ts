import { z } from 'zod'
import { nodeCredentialSchema } from './enrollment.ts'
import { nodeIdSchema, uuidSchema } from './ids.ts'
import { DrainMode, schedulingFields, transitionSchema } from './node-scheduling.ts'
import { humanText, instantSchema, isStorableText } from './text.ts'
import { versionSchema } from './version.ts'

/** State of the (node, session) slot. The first three are active, the last two are not. */
export const AttachmentState = {
  registering: 'registering',
  online: 'online',
  degraded: 'degraded',
  offline: 'offline',
  revoked: 'revoked',
} as const
export type AttachmentState = (typeof AttachmentState)[keyof typeof AttachmentState]
export const ACTIVE_STATES = ['registering', 'online', 'degraded'] as const satisfies readonly AttachmentState[]

/** What a daemon may say about itself; offline and revoked can never be self-reported (I-003-2). */
export const ReportedHealth = { online: 'online', degraded: 'degraded' } as const
export type ReportedHealth = (typeof ReportedHealth)[keyof typeof ReportedHealth]

export const Liveness = { online: 'online', degraded: 'degraded', offline: 'offline' } as const
export type Liveness = (typeof Liveness)[keyof typeof Liveness]

/** Why a node may not be given new work. */
export const Blocker = {
  notOnline: 'not_online',
  stale: 'stale',
  readOnly: 'read_only',
  notDeclared: 'not_declared',
  ownerInactive: 'owner_inactive',
  cordoned: 'cordoned',
  draining: 'draining',
} as const
export type Blocker = (typeof Blocker)[keyof typeof Blocker]

export const CAPABILITY_LIMITS = { keys: 64, keyLength: 128, bytes: 32 * 1024, depth: 8 } as const

const depthOf = (value: unknown): number =>
  value !== null && typeof value === 'object'
    ? 1 + Object.values(value).reduce((deepest: number, each) => Math.max(deepest, depthOf(each)), 0)
    : 0
const textsAreStorable = (value: unknown): boolean => {
  if (typeof value === 'string') return isStorableText(value)
  if (value === null || typeof value !== 'object') return true
  return Object.entries(value).every(([key, each]) => isStorableText(key) && textsAreStorable(each))
}

/** A capability map: at most 64 keys of 1..128 characters, 32 KiB serialised, depth 8, no NUL and no lone surrogates. */
export const capabilitiesSchema = z
  .record(z.string().min(1).max(CAPABILITY_LIMITS.keyLength), z.json())
  .superRefine((map, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message })
    if (Object.keys(map).length > CAPABILITY_LIMITS.keys) return refuse(`at most ${CAPABILITY_LIMITS.keys} keys`)
    if (new TextEncoder().encode(JSON.stringify(map)).length > CAPABILITY_LIMITS.bytes) {
      return refuse(`at most ${CAPABILITY_LIMITS.bytes} bytes when serialised`)
    }
    if (depthOf(map) > CAPABILITY_LIMITS.depth) return refuse(`at most ${CAPABILITY_LIMITS.depth} levels deep`)
    if (!textsAreStorable(map)) return refuse('must not contain NUL or unpaired surrogates')
  })
export type Capabilities = z.infer<typeof capabilitiesSchema>

const reason = humanText(512)
const epoch = z.int().min(0)
const reportedHealth = z.enum(ReportedHealth)

/** A machine's name: 1..253 printable characters. */
const hostSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\p{C}]+$/u, 'must be printable, without control characters')

export const attachInput = z.strictObject({
  sessionId: uuidSchema,
  participantId: uuidSchema,
  nodeId: nodeIdSchema,
  clientVersion: versionSchema,
  capabilities: capabilitiesSchema,
  healthState: reportedHealth,
  /** Random per daemon start: the same one again is a replay, another one a new incarnation. */
  instanceId: uuidSchema.optional(),
  /** Name of the machine, so that two that share a node id can be told apart. */
  host: hostSchema.optional(),
})
export type AttachInput = z.infer<typeof attachInput>

export const attachResultSchema = z.object({
  attachmentId: uuidSchema,
  state: z.enum(AttachmentState),
  readOnly: z.boolean(),
  attachedAt: instantSchema,
  epoch,
  /** Milliseconds until the node should beat next; the control plane decides. */
  nextHeartbeatMs: z.int().positive(),
})
export type AttachResult = z.infer<typeof attachResultSchema>

export const heartbeatInput = z.strictObject({
  nodeId: nodeIdSchema,
  healthState: reportedHealth,
  attachmentId: uuidSchema.optional(),
  epoch: epoch.optional(),
})
export type HeartbeatInput = z.infer<typeof heartbeatInput>

/** Daemons ignore fields that they do not know, so that later versions may add some. */
export const heartbeatResultSchema = z.object({
  state: z.enum(AttachmentState),
  liveness: z.enum(Liveness),
  readOnly: z.boolean(),
  epoch,
  nextHeartbeatMs: z.int().positive(),
  /** Bytes that the node may have in flight on the data lane from now on. */
  creditBytes: z.int().min(0),
  /** Only while the node is being drained. Level-triggered: told with every beat until the node has detached. */
  drain: z.enum(DrainMode).optional(),
  /**
   * In place of the credential that the beat came with, which has passed half of its life and stays good until its end. Told
   * until it is used; on a WebSocket the connection goes on with it by itself.
   */
  credential: nodeCredentialSchema.optional(),
})
export type HeartbeatResult = z.infer<typeof heartbeatResultSchema>

export const capabilityUpdateInput = z.strictObject({
  nodeId: nodeIdSchema,
  /** Full replacement: an absent key is removed. The first non-empty map of an epoch is the declaration. */
  capabilities: capabilitiesSchema,
  healthChanges: z.strictObject({ state: reportedHealth, reason: reason.optional() }).optional(),
  expectedRevision: z.int().min(0).optional(),
  attachmentId: uuidSchema.optional(),
  epoch: epoch.optional(),
})
export type CapabilityUpdateInput = z.infer<typeof capabilityUpdateInput>

export const capabilityUpdateResultSchema = z.object({
  nodeId: nodeIdSchema,
  state: z.enum(AttachmentState),
  updatedAt: instantSchema,
  capabilitiesRevision: z.int(),
})
export type CapabilityUpdateResult = z.infer<typeof capabilityUpdateResultSchema>

export const detachInput = z.strictObject({
  nodeId: nodeIdSchema,
  reason: reason.optional(),
  attachmentId: uuidSchema.optional(),
  epoch: epoch.optional(),
})
export type DetachInput = z.infer<typeof detachInput>

export const rosterInput = z.strictObject({
  sessionId: uuidSchema,
  includeEnded: z.boolean().default(false),
  limit: z.int().min(1).max(200).default(200),
  /** Opaque; from the page before. */
  cursor: z.string().max(256).optional(),
})

export const rosterNodeSchema = z.object({
  nodeId: nodeIdSchema,
  participantId: uuidSchema,
  attachmentId: uuidSchema,
  state: z.enum(AttachmentState),
  /** The stored verdict, verbatim; null when the attachment never beat. */
  healthState: z.enum(Liveness).nullable(),
  /** Derived at read time from the last beat; null = unknown. Never shown in place of `healthState`, nor the other way round. */
  liveness: z.enum(Liveness).nullable(),
  /** Silent for long enough to be offline, but so many others are too that no verdict is given; `liveness` is then null. */
  livenessHeld: z.boolean(),
  lastHeartbeatAt: instantSchema.nullable(),
  readOnly: z.boolean(),
  /** The stored client version could not be read; `readOnly` is then true. */
  versionMalformed: z.boolean(),
  capabilities: z.record(z.string(), z.json()),
  clientVersion: z.string(),
  attachedAt: instantSchema,
  lastAttachedAt: instantSchema,
  endedAt: instantSchema.nullable(),
  epoch,
  /** The machine's name, as the daemon gave it at its last attach. */
  host: z.string().nullable(),
  /** Incarnations have displaced each other more than three times within a minute: two daemons share this node id. */
  cloneAlarm: z.object({ hosts: z.array(z.string()), at: instantSchema }).nullable(),
  ...schedulingFields,
  access: z.enum(['ok', 'owner_inactive']),
  schedulable: z.boolean(),
  blockers: z.array(z.enum(Blocker)),
})
export type RosterNode = z.infer<typeof rosterNodeSchema>
export const rosterResultSchema = z.object({ nodes: z.array(rosterNodeSchema), nextCursor: z.string().nullable() })
export type Roster = z.infer<typeof rosterResultSchema>

/** A row of the roster with the node's latest transitions in this session, newest first. */
export const nodeDetailSchema = rosterNodeSchema.extend({ transitions: z.array(transitionSchema) })
export type NodeDetail = z.infer<typeof nodeDetailSchema>

/** Cadence and thresholds of liveness. One record: tests run it at a smaller scale. Times in milliseconds. */
export interface LivenessSettings {
  /** @default 15_000 told to each node with every answer */
  heartbeatMs: number
  /** @default 30_000 older than this (strictly) is degraded */
  degradedAfterMs: number
  /** @default 60_000 older than this (strictly) is offline */
  offlineAfterMs: number
  /** null: this process does not sweep. @default 5_000 */
  sweepMs: number | null
  breaker: BreakerSettings
  /** A slot that was silent for this long is ended; null: never. @default null */
  reapAfterMs: number | null
}

/** When silence of many nodes at once is taken for a fault between them and us. */
export interface BreakerSettings {
  /** @default 0.3 more than this part of the live nodes */
  share: number
  /** @default 10 and at least so many of them */
  nodes: number
  /** @default 120_000 after this time the verdicts are given all the same, in milliseconds */
  holdMs: number
}

export const LIVENESS_DEFAULTS: LivenessSettings = {
  heartbeatMs: 15_000,
  degradedAfterMs: 30_000,
  offlineAfterMs: 60_000,
  sweepMs: 5_000,
  breaker: { share: 0.3, nodes: 10, holdMs: 120_000 },
  reapAfterMs: null,
}
