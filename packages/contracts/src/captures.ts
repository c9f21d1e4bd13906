import { z } from 'zod'
import { CAPTURE_LIMITS } from './capture-limits.ts'
import { uuidSchema } from './ids.ts'
import { humanText, instantSchema } from './text.ts'

/** Derived from the segments; `running` is the only one that is not final. */
export const CaptureStatus = {
  running: 'running',
  completed: 'completed',
  truncated: 'truncated',
  partial: 'partial',
  failed: 'failed',
} as const
export type CaptureStatus = (typeof CaptureStatus)[keyof typeof CaptureStatus]

export const SegmentStatus = {
  pending: 'pending',
  opening: 'opening',
  running: 'running',
  closing: 'closing',
  completed: 'completed',
  truncated: 'truncated',
  incomplete: 'incomplete',
  failed: 'failed',
  lost: 'lost',
  skipped: 'skipped',
} as const
export type SegmentStatus = (typeof SegmentStatus)[keyof typeof SegmentStatus]
export const LIVE_SEGMENT_STATUSES = [
  'pending',
  'opening',
  'running',
  'closing',
] as const satisfies readonly SegmentStatus[]

/** What the daemon reports when reading ends. */
export const Outcome = { completed: 'completed', truncated: 'truncated', failed: 'failed' } as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

export const SegmentStorage = {
  open: 'open',
  reconciling: 'reconciling',
  complete: 'complete',
  incomplete: 'incomplete',
} as const
export type SegmentStorage = (typeof SegmentStorage)[keyof typeof SegmentStorage]

/** Why a segment ended; shown together with the server's or system's own words as `reason: detail`. */
export const TerminationReason = {
  durationCap: 'duration_cap',
  manualStop: 'manual_stop',
  sourceEnded: 'source_ended',
  byteCap: 'byte_cap',
  lineCap: 'line_cap',
  overrun: 'overrun',
  sourceClosed: 'source_closed',
  sourceError: 'source_error',
  monitorOpenFailed: 'monitor_open_failed',
  writerFailed: 'writer_failed',
  collectorLost: 'collector_lost',
  quorumNotMet: 'quorum_not_met',
  targetBusy: 'target_busy',
  noCapableNode: 'no_capable_node',
  nodeOffline: 'node_offline',
  nodeReadOnly: 'node_read_only',
  nodeCordoned: 'node_cordoned',
  targetUnhealthy: 'target_unhealthy',
} as const
export type TerminationReason = (typeof TerminationReason)[keyof typeof TerminationReason]

export const chunkBoundsSchema = z.object({
  bytes: z.int().min(1024),
  ms: z.int().min(10),
  lines: z.int().min(1),
  maxLineBytes: z.int().min(1024),
})
export type ChunkBounds = z.infer<typeof chunkBoundsSchema>

/**
 * `targets`: exactly these. `cluster`: every slot owner of it. `primaries`: every slot owner and every standalone primary
 * of the session.
 */
export const scopeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('targets'), targetIds: z.array(uuidSchema).min(1).max(1024) }),
  z.strictObject({ kind: z.literal('cluster'), clusterId: uuidSchema }),
  z.strictObject({ kind: z.literal('primaries') }),
])
export type Scope = z.infer<typeof scopeSchema>

/** How many of the planned targets must be running at the barrier. @default any */
export const requireSchema = z.union([z.enum(['all', 'quorum', 'any']), z.int().min(1).max(1024)])
export type Require = z.infer<typeof requireSchema>

const { durationMs, byteCap, lineCap } = CAPTURE_LIMITS
export const captureStartInput = z.strictObject({
  sessionId: uuidSchema,
  scope: scopeSchema,
  require: requireSchema.default('any'),
  durationMs: z.int().min(durationMs.min).max(durationMs.owner).default(durationMs.default),
  byteCap: z.int().min(byteCap.min).max(byteCap.owner).optional(),
  lineCap: z.int().min(lineCap.min).max(lineCap.owner).optional(),
  reason: humanText(512).optional(),
})
export type CaptureStartInput = z.input<typeof captureStartInput>

export const countersSchema = z.strictObject({
  received: z.int().min(0),
  recorded: z.int().min(0),
  filtered: z.int().min(0),
  sampledOut: z.int().min(0),
  ownTraffic: z.int().min(0),
  /** Part of recorded: kept as they came, with an error kind. */
  malformed: z.int().min(0),
  /** Part of recorded: longer than maxLineBytes. */
  cut: z.int().min(0),
  dropped: z.int().min(0),
  recordedBytes: z.int().min(0),
})
/** Line counts of one segment: `received = recorded + filtered + sampledOut + ownTraffic + dropped`, always. */
export type Counters = z.infer<typeof countersSchema>

export const missingRangeSchema = z.object({ fromSeq: z.int().min(0), toSeq: z.int().min(0) })

export const segmentSchema = z.object({
  segmentNo: z.int().min(0),
  targetId: uuidSchema,
  targetHost: z.string(),
  targetPort: z.int(),
  targetKind: z.enum(['server', 'synthetic']),
  nodeId: z.string().nullable(),
  role: z.enum(['primary', 'replica']),
  shard: z.string().nullable(),
  status: z.enum(SegmentStatus),
  storage: z.enum(SegmentStorage),
  outcome: z.enum(Outcome).nullable(),
  terminationReason: z.enum(TerminationReason).nullable(),
  terminationDetail: z.string().nullable(),
  begunAt: instantSchema.nullable(),
  endedAt: instantSchema.nullable(),
  /** Microseconds of the target's clock. */
  firstEventUs: z.int().nullable(),
  lastEventUs: z.int().nullable(),
  /** The daemon's last report. */
  counters: countersSchema,
  /** Milliseconds from the server's execution to the daemon's read, at the last report. */
  lagMs: z.int().nullable(),
  /** Of committed chunks. */
  byteCount: z.int(),
  lineCount: z.int(),
  chunkCount: z.int(),
  /** Ranges that the daemon's manifest has and the store has not. */
  missing: z.array(missingRangeSchema).nullable(),
  serverVersion: z.string().nullable(),
})
export type Segment = z.infer<typeof segmentSchema>

const captureFields = {
  id: uuidSchema,
  sessionId: uuidSchema,
  status: z.enum(CaptureStatus),
  source: z.enum(['manual']),
  requestedBy: uuidSchema.nullable(),
  reasonText: z.string().nullable(),
  scope: scopeSchema,
  require: requireSchema,
  createdAt: instantSchema,
  startedAt: instantSchema.nullable(),
  endedAt: instantSchema.nullable(),
  durationMs: z.int().nullable(),
  durationLimitMs: z.int(),
  byteCap: z.int(),
  lineCap: z.int(),
  /** Of committed chunks of all segments. */
  byteCount: z.int(),
  lineCount: z.int(),
  terminationReason: z.string().nullable(),
  terminationDetail: z.string().nullable(),
  stopRequestedAt: instantSchema.nullable(),
  /** Redaction policy that every chunk was cut under; revision 0 is level `none`: values are as the server printed them. */
  policyRevision: z.int(),
  policyLevel: z.enum(['none']),
}
export const captureSchema = z.object({ ...captureFields, segments: z.array(segmentSchema) })
export type Capture = z.infer<typeof captureSchema>
export const captureSummarySchema = z.object({ ...captureFields, segmentCount: z.int() })
export type CaptureSummary = z.infer<typeof captureSummarySchema>

export const coverageSchema = z.object({
  requested: z.int(),
  accepted: z.int(),
  missing: z.array(z.object({ targetId: uuidSchema, reason: z.string(), detail: z.string().nullable() })),
})
export const captureStartResultSchema = z.object({ capture: captureSchema, coverage: coverageSchema })
export type CaptureStartResult = z.infer<typeof captureStartResultSchema>

/** `waitMs`: how long to wait for the final row. @default 5000 */
export const captureStopInput = z.strictObject({ id: uuidSchema, waitMs: z.int().min(0).max(30_000).default(5000) })
export const captureIdInput = z.strictObject({ id: uuidSchema })

/** Newest first, keyset paged. */
export const captureListInput = z.strictObject({
  sessionId: uuidSchema,
  status: z.array(z.enum(CaptureStatus)).max(8).optional(),
  targetId: uuidSchema.optional(),
  startedAfter: instantSchema.optional(),
  startedBefore: instantSchema.optional(),
  limit: z.int().min(1).max(1000).default(100),
  cursor: z.string().max(256).optional(),
})
export const captureListResultSchema = z.object({
  captures: z.array(captureSummarySchema),
  nextCursor: z.string().nullable(),
})
export type CaptureList = z.infer<typeof captureListResultSchema>

/** Position in the merged stream: for each segment the line delivered last. Opaque to clients. */
const cursor = z.string().max(65_536)

export const captureTailInput = z.strictObject({
  id: uuidSchema,
  cursor: cursor.optional(),
  /** Lines from before the call, of a running capture; a finished one is told from its start. @default 10_000 */
  backlog: z.int().min(0).max(50_000).default(10_000),
  segments: z.array(z.int().min(0)).max(1024).optional(),
  /** How long a line waits for older lines of other segments, in milliseconds. @default 2000 */
  reorderMs: z.int().min(0).max(60_000).default(2000),
  /** Set by the tRPC client when it reconnects: the id of the last tracked message, which is the cursor. */
  lastEventId: cursor.nullish(),
})

/** One stored line. `line` is its bytes read as Latin-1, so byte = code point. */
export const tailRowSchema = z.object({
  segmentNo: z.int(),
  seq: z.int(),
  lineNo: z.int(),
  eventUs: z.int(),
  line: z.string(),
})
export type TailRow = z.infer<typeof tailRowSchema>
export const tailEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('lines'), cursor: z.string(), rows: z.array(tailRowSchema) }),
  z.object({ kind: z.literal('segment'), segment: segmentSchema }),
  z.object({ kind: z.literal('capture_ended'), capture: captureSchema }),
  z.object({ kind: z.literal('history_complete'), capture: captureSchema }),
])
export type TailEvent = z.infer<typeof tailEventSchema>

/** Formats of `GET /export/captures/{id}?format=`. */
export const ExportFormat = { raw: 'raw', jsonl: 'jsonl' } as const
export type ExportFormat = (typeof ExportFormat)[keyof typeof ExportFormat]
export const exportQuerySchema = z.strictObject({
  format: z.enum(ExportFormat).default('raw'),
  /** Comma-separated segment numbers. */
  segments: z
    .string()
    .max(4096)
    .regex(/^\d{1,9}(,\d{1,9})*$/, 'must be segment numbers, separated by commas')
    .transform((text) => text.split(',').map(Number))
    .optional(),
})
