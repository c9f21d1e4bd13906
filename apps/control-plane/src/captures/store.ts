import {
  LIVE_SEGMENT_STATUSES,
  redactionRulesSchema,
  requireSchema,
  samplingSchema,
  scopeSchema,
  type Capture,
  type CaptureStatus,
  type CaptureSummary,
  type SegmentGap,
  type SlotMove,
  type SlotRange,
  type Segment,
  type SegmentStorage,
  type TerminationReason,
} from '@sonde/contracts'
import type { CaptureSegments, Schema } from '@sonde/database'
import { sql, type Kysely, type Selectable, type Transaction } from 'kysely'
import type { NodeWork } from '../nodes/index.ts'
import { gapsOfSegment } from './gap-store.ts'
import { isLive } from './lifecycle.ts'

/** A pool or a transaction. */
export type Db = Kysely<Schema> | Transaction<Schema>
export type SegmentRow = Selectable<CaptureSegments>

/** A row keeps `open` when its segment was skipped, or refused before it began; nothing more will come then. */
const storageOf = ({ status, storage, chunk_count: chunks }: SegmentRow): SegmentStorage => {
  if (storage !== 'open' || isLive(status)) return storage
  return chunks === 0 ? 'none' : 'incomplete'
}

const toSegment = (row: SegmentRow & { gaps: SegmentGap[] }, startedWith: Date): Segment => ({
  segmentNo: row.segment_no,
  targetId: row.target_id,
  targetHost: row.target_host,
  targetPort: row.target_port,
  targetKind: row.target_kind,
  nodeId: row.node_id,
  role: row.role,
  shard: row.shard,
  status: row.status,
  storage: storageOf(row),
  outcome: row.outcome,
  terminationReason: row.termination_reason as TerminationReason | null,
  terminationDetail: row.termination_detail,
  // Those of the start have its instant.
  joinedAt: row.created_at > startedWith ? row.created_at.toISOString() : null,
  begunAt: row.begun_at?.toISOString() ?? null,
  endedAt: row.ended_at?.toISOString() ?? null,
  firstEventUs: row.first_event_us,
  lastEventUs: row.last_event_us,
  counters: {
    received: row.received,
    recorded: row.recorded,
    filtered: row.filtered,
    sampledOut: row.sampled_out,
    ownTraffic: row.own_traffic,
    malformed: row.malformed,
    cut: row.cut,
    dropped: row.dropped,
    recordedBytes: row.recorded_bytes,
  },
  lagMs: row.lag_ms,
  byteCount: row.byte_count,
  lineCount: row.line_count,
  chunkCount: row.chunk_count,
  missing: row.missing,
  serverVersion: row.server_version,
  redactionKey: row.redaction_key,
  gaps: row.gaps,
  slotMoves: row.slot_moves as SlotMove[],
  cost: {
    maxLagMs: row.max_lag_ms,
    omemBytes: row.omem_bytes,
    maxOmemBytes: row.max_omem_bytes,
    addedLatencyUs: row.added_latency_us,
  },
})

/** Totals of a capture are the sums of its segments, so that an upload locks segments only and never the capture. */
const capturesWithTotals = (db: Db) =>
  db
    .selectFrom('captures as c')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('capture_segments as s')
          .whereRef('s.capture_id', '=', 'c.id')
          .select([
            sql<number>`coalesce(sum(s.byte_count), 0)::int8`.as('byte_count'),
            sql<number>`coalesce(sum(s.line_count), 0)::int8`.as('line_count'),
            sql<number>`count(*)::int8`.as('segment_count'),
          ])
          .as('totals'),
      (join) => join.onTrue(),
    )
    .selectAll('c')
    .select(['totals.byte_count', 'totals.line_count', 'totals.segment_count'])

type Row = Awaited<ReturnType<ReturnType<typeof capturesWithTotals>['executeTakeFirstOrThrow']>>

const toSummary = (row: Row): CaptureSummary => ({
  id: row.id,
  sessionId: row.session_id,
  status: row.status,
  source: row.source,
  requestedBy: row.requested_by,
  reasonText: row.reason_text,
  scope: scopeSchema.parse(row.scope),
  require: requireSchema.parse(row.require),
  followTopology: row.follow_topology,
  createdAt: row.created_at.toISOString(),
  startedAt: row.started_at?.toISOString() ?? null,
  endedAt: row.ended_at?.toISOString() ?? null,
  durationMs: row.duration_ms,
  durationLimitMs: row.duration_limit_ms,
  byteCap: row.byte_cap,
  lineCap: row.line_cap,
  filter: row.filter,
  sampling: samplingSchema.nullable().parse(row.sampling),
  byteCount: row.byte_count,
  lineCount: row.line_count,
  terminationReason: row.termination_reason,
  terminationDetail: row.termination_detail,
  stopRequestedAt: row.stop_requested_at?.toISOString() ?? null,
  policyRevision: row.policy_revision,
  policyLevel: redactionRulesSchema.parse(row.policy).level,
  expiresAt: row.expires_at?.toISOString() ?? null,
  pinned: row.pinned,
  segmentCount: row.segment_count,
})

/** A capture with its segments; undefined when there is none. Authorizes nothing. */
export const findCapture = async (db: Db, captureId: string): Promise<Capture | undefined> => {
  const row = await capturesWithTotals(db).where('c.id', '=', captureId).executeTakeFirst()
  if (!row) return undefined
  const segments = await db
    .selectFrom('capture_segments as s')
    .selectAll('s')
    .select(gapsOfSegment.as('gaps'))
    .where('s.capture_id', '=', captureId)
    .orderBy('s.segment_no')
    .execute()
  const { segmentCount: _count, ...capture } = toSummary(row)
  const shown = segments.map((segment) => toSegment(segment, row.created_at))
  return { ...capture, startSkewMs: startSkewOf(shown), segments: shown }
}

/** How far apart the segments of the plan began, in milliseconds; null when fewer than two have. */
const startSkewOf = (segments: readonly Pick<Segment, 'joinedAt' | 'begunAt'>[]): number | null => {
  const begun = segments.flatMap(({ joinedAt, begunAt }) => (joinedAt === null && begunAt ? [Date.parse(begunAt)] : []))
  return begun.length < 2 ? null : Math.max(...begun) - Math.min(...begun)
}

export interface CapturePage {
  sessionId: string
  status: CaptureStatus[] | undefined
  targetId: string | undefined
  startedAfter: string | undefined
  startedBefore: string | undefined
  limit: number
  cursor: string | undefined
}

/** Newest first; ids are UUIDv7, so their order is the order of creation. */
export const listCaptures = async (db: Db, page: CapturePage): Promise<CaptureSummary[]> => {
  let query = capturesWithTotals(db)
    .where('c.session_id', '=', page.sessionId)
    .orderBy('c.id', 'desc')
    .limit(page.limit)
  if (page.cursor !== undefined) query = query.where('c.id', '<', page.cursor)
  if (page.status !== undefined) query = query.where('c.status', 'in', page.status)
  if (page.startedAfter !== undefined) query = query.where('c.started_at', '>=', new Date(page.startedAfter))
  if (page.startedBefore !== undefined) query = query.where('c.started_at', '<=', new Date(page.startedBefore))
  if (page.targetId !== undefined) {
    const { targetId } = page
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('capture_segments as s')
          .select('s.segment_no')
          .whereRef('s.capture_id', '=', 'c.id')
          .where('s.target_id', '=', targetId),
      ),
    )
  }
  return (await query.execute()).map(toSummary)
}

/** Captures that hold a target, by target id. */
export const holdersOf = async (db: Db, targetIds: string[]): Promise<Map<string, string>> => {
  const rows = await db
    .selectFrom('capture_segments')
    .select(['target_id', 'capture_id'])
    .where('target_id', '=', sql<string>`any(${targetIds}::uuid[])`)
    .where('status', 'in', ['pending', 'opening', 'running'])
    .execute()
  return new Map(rows.map((row) => [row.target_id, row.capture_id]))
}

/** What a node still has to do for captures: segments that run on it or ship their rest, and lines not stored yet. */
export const workOf = (db: Db, nodeId: string): Promise<NodeWork> =>
  db
    .selectFrom('capture_segments')
    .select([
      sql<number>`count(*)::int`.as('segments'),
      sql<number>`coalesce(sum(greatest(recorded - line_count, 0)), 0)::int8`.as('unstoredLines'),
    ])
    .where('node_id', '=', nodeId)
    .where('status', 'in', LIVE_SEGMENT_STATUSES)
    .executeTakeFirstOrThrow()

/** Ids of captures that are not final. */
export const listRunning = async (db: Db): Promise<string[]> => {
  const rows = await db.selectFrom('captures').select('id').where('status', '=', 'running').orderBy('id').execute()
  return rows.map((row) => row.id)
}

/** Ids of running captures that follow the topology, of one session or of all. */
export const listFollowing = async (db: Db, sessionId?: string): Promise<string[]> => {
  let query = db
    .selectFrom('captures')
    .select('id')
    .where('status', '=', 'running')
    .where('follow_topology', '=', true)
    .where(sql<boolean>`scope ->> 'kind' <> 'targets'`)
    .orderBy('id')
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId)
  return (await query.execute()).map((row) => row.id)
}

/** Records whose slots a locked segment has now, and where they came from and went. */
export const setSlots = async (
  db: Db,
  segment: {
    captureId: string
    segmentNo: number
    slots: SlotRange[]
    configEpoch: number | null
    slotMoves: SlotMove[]
  },
): Promise<void> => {
  await db
    .updateTable('capture_segments')
    .set({
      slots: JSON.stringify(segment.slots),
      config_epoch: segment.configEpoch,
      slot_moves: JSON.stringify(segment.slotMoves),
    })
    .where('capture_id', '=', segment.captureId)
    .where('segment_no', '=', segment.segmentNo)
    .execute()
}

const requestStops = (db: Db, participantId: string) =>
  db
    .updateTable('captures')
    .set({ stop_requested_at: sql`now()`, stop_requested_by: participantId })
    .where('status', '=', 'running')
    .where('stop_requested_at', 'is', null)

/** First caller wins; later ones change nothing. */
export const requestStop = async (db: Db, captureId: string, participantId: string): Promise<void> => {
  await requestStops(db, participantId).where('id', '=', captureId).execute()
}

/** Asks all running captures of a session to stop; the sweep of captures passes it on within a second. */
export const requestStopOfAll = async (db: Db, sessionId: string, participantId: string): Promise<void> => {
  await requestStops(db, participantId).where('session_id', '=', sessionId).execute()
}

/** Asks the running captures of a session that are under older policy revisions to stop. */
export const requestStopOfOlder = async (
  db: Db,
  policy: { sessionId: string; participantId: string; revision: number },
): Promise<void> => {
  await requestStops(db, policy.participantId)
    .where('session_id', '=', policy.sessionId)
    .where('policy_revision', '<', policy.revision)
    .execute()
}
