import { z } from 'zod'
import { TransitionAxis } from './node-scheduling.ts'
import { nodeIdSchema, segmentNoSchema, uuidSchema } from './ids.ts'
import { instantSchema } from './text.ts'

const page = { limit: z.int().min(1).max(1000).default(100) }

export const opsTransitionsInput = z.strictObject({
  sessionId: uuidSchema,
  nodeId: nodeIdSchema.optional(),
  /** Only those before this one: the last of the page before. */
  before: z.int().min(1).optional(),
  ...page,
})

/** A row of `sonde_ops.transitions`; newest first. */
export const opsTransitionsSchema = z.object({
  transitions: z.array(
    z.object({
      id: z.int(),
      /** By the clock of the database. */
      at: instantSchema,
      nodeId: z.string(),
      axis: z.enum(TransitionAxis),
      from: z.string().nullable(),
      to: z.string(),
      cause: z.string(),
      reason: z.string().nullable(),
    }),
  ),
})
export type OpsTransitions = z.infer<typeof opsTransitionsSchema>

export const opsChunksInput = z.strictObject({
  /** Of the capture. */
  id: uuidSchema,
  /** Only those after this one: the last of the page before. */
  after: z.strictObject({ segmentNo: segmentNoSchema, seq: z.int().min(0) }).optional(),
  ...page,
})

/** A row of `sonde_ops.chunks`, by segment and number. */
export const opsChunksSchema = z.object({
  chunks: z.array(
    z.object({
      segmentNo: segmentNoSchema,
      seq: z.int(),
      nodeId: z.string(),
      lineCount: z.int(),
      /** Before compression. */
      rawBytes: z.int(),
      storedBytes: z.int(),
      /** By the clock of the target; null where no line has a time. */
      firstEventAt: instantSchema.nullable(),
      lastEventAt: instantSchema.nullable(),
      /** By the clock of the database. */
      receivedAt: instantSchema,
      sha256: z.string(),
      policyRevision: z.int(),
      origin: z.enum(['live', 'repair']),
    }),
  ),
})
export type OpsChunks = z.infer<typeof opsChunksSchema>

export const opsCommandsInput = z.strictObject({
  /** Of the capture. */
  id: uuidSchema,
})

/** A row of `sonde_ops.commands_over_time`, by minute and segment; the first 10,000. */
export const opsCommandsSchema = z.object({
  minutes: z.array(
    z.object({
      segmentNo: segmentNoSchema,
      /** Its beginning, by the clock of the target. */
      minute: instantSchema,
      lineCount: z.int(),
      byteCount: z.int(),
    }),
  ),
  isWhole: z.boolean(),
})
export type OpsCommands = z.infer<typeof opsCommandsSchema>
