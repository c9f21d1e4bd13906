import { z } from 'zod'
import {
  chunkBoundsSchema,
  countersSchema,
  filterTextSchema,
  Outcome,
  samplingSchema,
  segmentCostSchema,
  SegmentStatus,
  TerminationReason,
} from './captures.ts'
import { CAPTURE_LIMITS } from './capture-limits.ts'
import { gapSchema, missingRangeSchema } from './gaps.ts'
import { nodeIdSchema, segmentNoSchema, uuidSchema } from './ids.ts'
import { isStorableText } from './text.ts'

/**
 * A part of the budget of a capture, granted to one segment: it may record so many more bytes and lines. Slices add up; the
 * flags of the newest one count.
 */
const sliceSchema = z.object({
  sliceNo: z.int().min(0),
  bytes: z.int().min(0),
  lines: z.int().min(0),
  /** No bytes are left for a further slice: once these are used up the segment ends truncated, `byte_cap`. */
  lastBytes: z.boolean(),
  /** Likewise for lines: `line_cap`. */
  lastLines: z.boolean(),
})
export type Slice = z.infer<typeof sliceSchema>

const segmentRef = { captureId: uuidSchema, segmentNo: segmentNoSchema }

/** What the control plane tells a node: at least once, in the order of `number` within a segment, idempotent by id. */
export const nodeCommandSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('segment.open'),
    ...segmentRef,
    targetId: uuidSchema,
    durationMs: z.int().positive(),
    chunk: chunkBoundsSchema,
    slice: sliceSchema,
    policyRevision: z.int().min(0),
    /** Rules of redaction; what the node does not know it refuses, so they are not checked here. */
    policy: z.looseObject({ level: z.string() }).optional(),
    filter: filterTextSchema.optional(),
    sampling: samplingSchema.optional(),
  }),
  /** Record from now on: each daemon reads the target's own clock, so no two hosts' clocks are compared. */
  z.object({ kind: z.literal('segment.begin'), ...segmentRef }),
  z.object({ kind: z.literal('segment.grant'), ...segmentRef, slice: sliceSchema }),
  z.object({ kind: z.literal('segment.stop'), ...segmentRef, reason: z.enum(TerminationReason) }),
  /**
   * Send chunks again, marked as repairs: the store lacks them, or has them with another content. Answered once those
   * that are held are committed. At most 256 numbers in all.
   */
  z.object({
    kind: z.literal('segment.resend'),
    ...segmentRef,
    /** Of asking for this segment, from 0. */
    round: z.int().min(0),
    ranges: z.array(missingRangeSchema).min(1).max(CAPTURE_LIMITS.resendChunks),
    /** What is stored under each number, as SHA-256 in hex; only chunks that differ are sent. Absent: nothing is stored. */
    stored: z
      .array(z.string().regex(/^[0-9a-f]{64}$/))
      .max(CAPTURE_LIMITS.resendChunks)
      .optional(),
  }),
  /** Drop whatever is held of the segment, unsent chunks too. */
  z.object({ kind: z.literal('segment.discard'), ...segmentRef, why: z.string() }),
])
export type NodeCommandBody = z.infer<typeof nodeCommandSchema>
export const deliveredCommandSchema = z.object({
  commandId: uuidSchema,
  number: z.int().min(0),
  body: nodeCommandSchema,
})
export type DeliveredCommand = z.infer<typeof deliveredCommandSchema>

export const commandsInput = z.strictObject({ nodeId: nodeIdSchema, epoch: z.int().min(0) })

const words = z.string().max(1024).refine(isStorableText, 'must not contain NUL or unpaired surrogates')

export const commandResultSchema = z.discriminatedUnion('kind', [
  /** MONITOR is open; nothing is recorded before the begin. */
  z.strictObject({
    kind: z.literal('opened'),
    serverVersion: words.nullable(),
    dialect: z.enum(['bracket', 'paren']),
    role: z.enum(['primary', 'replica']),
    /** Proof of the rules that the node redacts by: their hash as it loaded them, and the fingerprint of its key. */
    policy: z
      .strictObject({
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        keyFingerprint: z.string().regex(/^[0-9a-f]{16}$/),
      })
      .optional(),
  }),
  z.strictObject({ kind: z.literal('refused'), code: words, detail: words }),
  z.strictObject({ kind: z.literal('running') }),
  z.strictObject({ kind: z.literal('acknowledged') }),
  /** Answers a resend. `notHeld`: what differs or is missing, and is not held here any more. */
  z.strictObject({
    kind: z.literal('resent'),
    notHeld: z.array(missingRangeSchema).max(CAPTURE_LIMITS.resendChunks),
  }),
])
export type CommandResult = z.infer<typeof commandResultSchema>

export const answerInput = z.strictObject({
  nodeId: nodeIdSchema,
  epoch: z.int().min(0),
  commandId: uuidSchema,
  result: commandResultSchema,
})
export type AnswerInput = z.infer<typeof answerInput>

/** Progress of the running segments of a node, once a second, and at once when half of a slice is used or a segment ends. */
export const segmentsReportInput = z.strictObject({
  nodeId: nodeIdSchema,
  epoch: z.int().min(0),
  segments: z
    .array(
      z.strictObject({
        captureId: uuidSchema,
        segmentNo: segmentNoSchema,
        /** Number of the newest slice that the segment holds. */
        sliceNo: z.int().min(0),
        /** Half of that slice, by bytes or by lines, is used: time for the next one. */
        halfUsed: z.boolean(),
        counters: countersSchema,
        lagMs: z.int().min(0).nullable(),
        cost: segmentCostSchema.optional(),
        /** All of the segment so far; one that was told before is changed by what is told last. */
        gaps: z.array(gapSchema).max(CAPTURE_LIMITS.gaps).optional(),
        /** Present once reading has ended: the MONITOR connection is closed and the target free. */
        end: z
          .strictObject({ outcome: z.enum(Outcome), reason: z.enum(TerminationReason), detail: words.nullable() })
          .optional(),
      }),
    )
    .min(1)
    .max(1024),
})
export type SegmentsReportInput = z.infer<typeof segmentsReportInput>

/** What is stored of segments that the node holds chunks of, asked after it has attached anew. */
export const segmentsCommittedInput = z.strictObject({
  nodeId: nodeIdSchema,
  epoch: z.int().min(0),
  segments: z.array(z.strictObject(segmentRef)).min(1).max(1024),
})
export const committedSegmentSchema = z.object({
  ...segmentRef,
  /** Null: there is no such segment of this node, and nothing of it will be taken. */
  status: z.enum(SegmentStatus).nullable(),
  /** Up to this seq everything is stored; -1 for nothing. */
  contiguous: z.int().min(-1),
  /** The highest seq that is stored; -1 for none. */
  last: z.int().min(-1),
  /** What is missing between the two; one range over all where there are more than 1024. */
  holes: z.array(missingRangeSchema),
})
/** In the order of the call. */
export const segmentsCommittedResultSchema = z.object({ segments: z.array(committedSegmentSchema) })
export type CommittedSegment = z.infer<typeof committedSegmentSchema>

/**
 * Sent when every chunk of the segment is acknowledged. `root` = SHA-256 in hex over, in seq order, seq (u64 big-endian)
 * and the chunk's sha256.
 */
export const segmentManifestInput = z.strictObject({
  nodeId: nodeIdSchema,
  epoch: z.int().min(0),
  captureId: uuidSchema,
  segmentNo: segmentNoSchema,
  manifest: z.strictObject({
    /** Their numbers are 0 to `chunks - 1`. */
    chunks: z.int().min(0).max(CAPTURE_LIMITS.segmentChunks),
    lines: z.int().min(0),
    bytes: z.int().min(0),
    root: z.string().regex(/^[0-9a-f]{64}$/),
  }),
})
export type SegmentManifest = z.infer<typeof segmentManifestInput>['manifest']
export const segmentManifestResultSchema = z.object({
  /** `reconciling`: chunks are asked for again; keep all that is held, and send the manifest again later. */
  storage: z.enum(['complete', 'incomplete', 'reconciling']),
  missing: z.array(missingRangeSchema),
})
export type SegmentManifestResult = z.infer<typeof segmentManifestResultSchema>

/** Outcome of one uploaded chunk. An error code is of that chunk alone. */
export const chunkResultSchema = z.object({
  captureId: uuidSchema,
  segmentNo: z.int(),
  seq: z.int(),
  outcome: z.string(),
})
export type ChunkResult = z.infer<typeof chunkResultSchema>
/** `outcome`: `stored`, `duplicate` or an error code. `creditBytes`: what the node may have in flight from now on. */
export const uploadResultSchema = z.object({ results: z.array(chunkResultSchema), creditBytes: z.int().min(0) })
export type UploadResult = z.infer<typeof uploadResultSchema>
