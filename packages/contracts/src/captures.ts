import { z } from 'zod'
import { CAPTURE_LIMITS } from './capture-limits.ts'
import { missingRangeSchema, segmentGapSchema, slotMoveSchema } from './gaps.ts'
import { idempotencyKeySchema, uuidSchema } from './ids.ts'
import { RedactionLevel } from './policies.ts'
import { humanText, instantSchema, isStorableText } from './text.ts'

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

/** `none`: the segment ended before anything was cut, so there is nothing to store. `complete` is proven by the manifest. */
export const SegmentStorage = {
  none: 'none',
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
  /** Reading cost the server more than is allowed; the detail names what. */
  impactLimit: 'impact_limit',
  sourceClosed: 'source_closed',
  sourceError: 'source_error',
  monitorOpenFailed: 'monitor_open_failed',
  /** The node does not redact by the capture's policy. */
  policyNotApplied: 'policy_not_applied',
  /** The target is not any more what the scope means: a primary that became a replica, or the other way round. */
  roleChanged: 'role_changed',
  writerFailed: 'writer_failed',
  collectorLost: 'collector_lost',
  quorumNotMet: 'quorum_not_met',
  targetBusy: 'target_busy',
  /** No node reads it; another member of its cluster names it. */
  targetUnreachable: 'target_unreachable',
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
 * of the session. `replicas`: every replica of that cluster, without one of the session.
 */
export const scopeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('targets'), targetIds: z.array(uuidSchema).min(1).max(1024) }),
  z.strictObject({ kind: z.literal('cluster'), clusterId: uuidSchema }),
  z.strictObject({ kind: z.literal('primaries') }),
  z.strictObject({ kind: z.literal('replicas'), clusterId: uuidSchema.optional() }),
])
export type Scope = z.infer<typeof scopeSchema>

/** How many of the planned targets must be running at the barrier. @default any */
export const requireSchema = z.union([z.enum(['all', 'quorum', 'any']), z.int().min(1).max(1024)])
export type Require = z.infer<typeof requireSchema>

/**
 * One of `every` is kept, chosen by a hash: a key (or a client) is wholly in or wholly out, on every server alike. Lines
 * without a key go by their client.
 */
export const samplingSchema = z.strictObject({
  every: z.int().min(CAPTURE_LIMITS.sampling.min).max(CAPTURE_LIMITS.sampling.max),
  by: z.enum(['key', 'client']).default('key'),
})
export type Sampling = z.infer<typeof samplingSchema>

/** A filter as it is written; docs/filters.md has the language. Blank is none. */
export const filterTextSchema = z
  .string()
  .max(CAPTURE_LIMITS.filter.characters)
  .refine(isStorableText, 'must not contain NUL or unpaired surrogates')

const { durationMs, byteCap, lineCap } = CAPTURE_LIMITS
export const captureStartInput = z.strictObject({
  sessionId: uuidSchema,
  scope: scopeSchema,
  require: requireSchema.default('any'),
  durationMs: z.int().min(durationMs.min).max(durationMs.owner).default(durationMs.default),
  byteCap: z.int().min(byteCap.min).max(byteCap.owner).optional(),
  lineCap: z.int().min(lineCap.min).max(lineCap.owner).optional(),
  /** Only lines that match are recorded. */
  filter: filterTextSchema.optional(),
  /** Of those that match. */
  sampling: samplingSchema.optional(),
  reason: humanText(512).optional(),
  /**
   * Whether targets that come into the scope while the capture runs join it, and those that leave it end. Of no effect for
   * `targets`. @default true
   */
  followTopology: z.boolean().default(true),
  /**
   * Makes a start safe to repeat: with the same key and the same input the capture of the first one is answered, for 24 h.
   * Another input is `idempotency.key_reused`. Keys are of one caller and one session.
   */
  idempotencyKey: idempotencyKeySchema.optional(),
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

/** What reading costs the server; null is unknown. */
export const segmentCostSchema = z.strictObject({
  /** The longest that a line took from its execution to its reading, in milliseconds. */
  maxLagMs: z.int().min(0).nullable(),
  /** Output that the server holds for the reader, in bytes. */
  omemBytes: z.int().min(0).nullable(),
  maxOmemBytes: z.int().min(0).nullable(),
  /** Round trip to the server beyond what it was before reading began, in microseconds. */
  addedLatencyUs: z.int().min(0).nullable(),
})
export type SegmentCost = z.infer<typeof segmentCostSchema>

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
  /** When it joined a capture that ran already; null for those that the start planned. */
  joinedAt: instantSchema.nullable(),
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
  /** Fingerprint of the key that masked arguments are hashed with: only under equal ones are hashes comparable. */
  redactionKey: z.string().nullable(),
  gaps: z.array(segmentGapSchema),
  /** In the order in which they were seen. */
  slotMoves: z.array(slotMoveSchema),
  cost: segmentCostSchema,
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
  followTopology: z.boolean(),
  createdAt: instantSchema,
  startedAt: instantSchema.nullable(),
  endedAt: instantSchema.nullable(),
  durationMs: z.int().nullable(),
  durationLimitMs: z.int(),
  byteCap: z.int(),
  lineCap: z.int(),
  /** Null: every line is recorded. */
  filter: z.string().nullable(),
  sampling: samplingSchema.nullable(),
  /** Of committed chunks of all segments. */
  byteCount: z.int(),
  lineCount: z.int(),
  terminationReason: z.string().nullable(),
  terminationDetail: z.string().nullable(),
  stopRequestedAt: instantSchema.nullable(),
  /** Of the redaction policy that every chunk is cut under, fixed at the start; 0 is one from before there were policies. */
  policyRevision: z.int(),
  policyLevel: z.enum(RedactionLevel),
  /** When it is deleted, by the database's clock; null is never. It waits while the capture is pinned, runs or is exported. */
  expiresAt: instantSchema.nullable(),
  pinned: z.boolean(),
}
export const captureSchema = z.object({
  ...captureFields,
  /** From the first begin to the last one, of those that the start planned, in milliseconds; null while fewer than two have begun. */
  startSkewMs: z.int().nullable(),
  segments: z.array(segmentSchema),
})
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

/** Newest first. `cursor` is the last id of the page before. */
export const captureListInput = z.strictObject({
  sessionId: uuidSchema,
  status: z.array(z.enum(CaptureStatus)).min(1).max(8).optional(),
  targetId: uuidSchema.optional(),
  startedAfter: instantSchema.optional(),
  startedBefore: instantSchema.optional(),
  limit: z.int().min(1).max(1000).default(100),
  cursor: uuidSchema.optional(),
})
export const captureListResultSchema = z.object({
  captures: z.array(captureSummarySchema),
  nextCursor: z.string().nullable(),
})
export type CaptureList = z.infer<typeof captureListResultSchema>
