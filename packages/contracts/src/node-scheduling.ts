import { z } from 'zod'
import { nodeIdSchema, uuidSchema } from './ids.ts'
import { humanText, instantSchema } from './text.ts'

/** Whether a slot may be given new work: all of it, none, or none while the rest is being finished. */
export const Scheduling = { open: 'open', cordoned: 'cordoned', draining: 'draining' } as const
export type Scheduling = (typeof Scheduling)[keyof typeof Scheduling]

/** What a drain does at its deadline: `stop` ends the captures that still run, `wait` lets them run to their end. */
export const OnDeadline = { stop: 'stop', wait: 'wait' } as const
export type OnDeadline = (typeof OnDeadline)[keyof typeof OnDeadline]

/** What a draining node is told with every beat: let captures end, or stop them; then ship the rest and detach. */
export const DrainMode = { finish: 'finish', stop: 'stop' } as const
export type DrainMode = (typeof DrainMode)[keyof typeof DrainMode]

/** The scheduling marks of a slot. */
export const schedulingFields = {
  cordonedAt: instantSchema.nullable(),
  drain: z
    .object({
      requestedAt: instantSchema,
      deadline: instantSchema,
      onDeadline: z.enum(OnDeadline),
      mode: z.enum(DrainMode),
    })
    .nullable(),
}

const slot = { sessionId: uuidSchema, nodeId: nodeIdSchema }
const reason = humanText(512).optional()

export const cordonInput = z.strictObject({ ...slot, reason })
export type CordonInput = z.infer<typeof cordonInput>

export const drainInput = z.strictObject({
  ...slot,
  /** By the database's clock. A moment that has passed already means at once. */
  deadline: instantSchema,
  onDeadline: z.enum(OnDeadline),
  /** Drain even the last node that reaches some primary. */
  force: z.boolean().default(false),
  reason,
})
export type DrainInput = z.infer<typeof drainInput>

export const schedulingResultSchema = z.object({ attachmentId: uuidSchema, nodeId: nodeIdSchema, ...schedulingFields })
export type SchedulingResult = z.infer<typeof schedulingResultSchema>

export const removeInput = z.strictObject({
  ...slot,
  /** Remove although a capture runs on the node, or what it captured is not all stored. */
  force: z.boolean().default(false),
  reason,
})
export type RemoveInput = z.infer<typeof removeInput>

export const removeResultSchema = z.object({
  attachmentId: uuidSchema,
  state: z.literal('offline'),
  /** Lines that the node has reported as recorded and not delivered; they are lost unless it comes back with them. */
  unstoredLines: z.int().min(0),
})
export type RemoveResult = z.infer<typeof removeResultSchema>

export const revokeInput = z.strictObject({ ...slot, reason })
export type RevokeInput = z.infer<typeof revokeInput>

export const revokeResultSchema = z.object({ attachmentId: uuidSchema, state: z.literal('revoked') })
export type RevokeResult = z.infer<typeof revokeResultSchema>

export const nodeShowInput = z.strictObject(slot)
export type NodeShowInput = z.infer<typeof nodeShowInput>

/** How many transitions `runtimeNode.show` answers. */
export const SHOWN_TRANSITIONS = 20

/** Which of a node's values changed. */
export const TransitionAxis = { slot: 'slot', liveness: 'liveness', scheduling: 'scheduling' } as const
export type TransitionAxis = (typeof TransitionAxis)[keyof typeof TransitionAxis]

/** What changed it. `displace` is an attach by another incarnation while one was active. */
export const TransitionCause = {
  attach: 'attach',
  displace: 'displace',
  cloneAlarm: 'clone_alarm',
  capabilityUpdate: 'capability_update',
  detach: 'detach',
  remove: 'remove',
  revoke: 'revoke',
  reaper: 'reaper',
  heartbeat: 'heartbeat',
  sweep: 'sweep',
  cordon: 'cordon',
  uncordon: 'uncordon',
  drain: 'drain',
} as const
export type TransitionCause = (typeof TransitionCause)[keyof typeof TransitionCause]

export const transitionSchema = z.object({
  at: instantSchema,
  axis: z.enum(TransitionAxis),
  from: z.string().nullable(),
  to: z.string(),
  cause: z.enum(TransitionCause),
  /** As the caller gave it; of an attach the host, of a clone alarm the hosts. */
  reason: z.string().nullable(),
})
export type Transition = z.infer<typeof transitionSchema>
