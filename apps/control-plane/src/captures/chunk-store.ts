import type { ChunkHeader } from '@sonde/capture-format/chunk'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

/** A capture as the chunk tables find it: `partitionDay` (`YYYY-MM-DD`) leads every key. */
export interface CaptureRef {
  id: string
  partitionDay: string
}

export interface SegmentRef {
  captureId: string
  segmentNo: number
}

/** Undefined when there is no such capture. Authorizes nothing. */
export const findCaptureRef = async (db: Kysely<Schema>, id: string): Promise<CaptureRef | undefined> => {
  const row = await db.selectFrom('captures').select('partition_day').where('id', '=', id).executeTakeFirst()
  return row && { id, partitionDay: row.partition_day }
}

/**
 * Whether the chunk `c` of a query may be shown: all of a segment without a manifest, and of one that has a manifest those
 * whose numbers it has. What is stored beyond it is not known to be of the segment.
 */
const isShown = sql<boolean>`c.seq < coalesce(
  (select (s.manifest->>'chunks')::bigint from capture_segments s
    where s.capture_id = c.capture_id and s.segment_no = c.segment_no), ${Number.MAX_SAFE_INTEGER})`

/** What is known of a chunk without its lines. Event times in microseconds, -1 where no line has one. */
export interface ChunkFact {
  seq: number
  lineCount: number
  firstEventUs: number
  lastEventUs: number
}

/** Facts of the chunks of one segment below a seq, the newest first, at most `limit`. No body is read. */
export const readFactsBefore = (
  db: Kysely<Schema>,
  at: CaptureRef & { segmentNo: number },
  page: { beforeSeq: number; limit: number },
): Promise<ChunkFact[]> =>
  db
    .selectFrom('capture_chunks as c')
    .select(['seq', 'line_count as lineCount', 'first_event_us as firstEventUs', 'last_event_us as lastEventUs'])
    .where('partition_day', '=', at.partitionDay)
    .where('capture_id', '=', at.id)
    .where('segment_no', '=', at.segmentNo)
    .where('seq', '<', page.beforeSeq)
    .where(isShown)
    .orderBy('seq', 'desc')
    .limit(page.limit)
    .execute()

/** A chunk with its lines as they were sent. */
export interface StoredChunk {
  segmentNo: number
  seq: number
  rawBytes: number
  encoding: number
  dialect: number
  flags: number
  body: Buffer
}

/** For each wanted segment its first committed chunk at or above `seq`, in one statement; none where there is no such chunk. */
export const readNextChunks = async (
  db: Kysely<Schema>,
  capture: CaptureRef,
  wanted: { segmentNo: number; seq: number }[],
): Promise<StoredChunk[]> => {
  const { rows } = await sql<StoredChunk>`
    select c.segment_no as "segmentNo", c.seq, c.raw_bytes as "rawBytes", c.encoding, c.dialect, c.flags, c.body
    from unnest(${wanted.map((each) => each.segmentNo)}::int[], ${wanted.map((each) => each.seq)}::bigint[])
      as wanted (segment_no, seq)
    cross join lateral (
      select * from capture_chunks c
      where partition_day = ${capture.partitionDay} and capture_id = ${capture.id}
        and segment_no = wanted.segment_no and seq >= wanted.seq and ${isShown}
      order by seq limit 1
    ) c`.execute(db)
  return rows
}

export interface SegmentEnd {
  segmentNo: number
  targetHost: string
  targetPort: number
  /** Of its newest committed chunk that may be shown; null when it has none. */
  lastSeq: number | null
}

/** Every segment of a capture with where its committed chunks end now. */
export const readSegmentEnds = async (db: Kysely<Schema>, capture: CaptureRef): Promise<SegmentEnd[]> => {
  const { rows } = await sql<SegmentEnd>`
    select s.segment_no as "segmentNo", s.target_host as "targetHost", s.target_port as "targetPort",
      (select c.seq from capture_chunks c
        where c.partition_day = ${capture.partitionDay} and c.capture_id = s.capture_id and c.segment_no = s.segment_no
          and ${isShown}
        order by c.seq desc limit 1) as "lastSeq"
    from capture_segments s where s.capture_id = ${capture.id} order by s.segment_no`.execute(db)
  return rows
}

export interface AcceptingSegment extends SegmentRef, Holder {
  storage: 'open' | 'reconciling' | 'complete' | 'incomplete'
  /** How many chunks its daemon's manifest has; null before there is one. */
  manifestChunks: number | null
  partitionDay: string
  /** What comes now repairs it. */
  isFinal: boolean
  /** Its node was asked for chunks whose content differs: they take the place of what is stored. */
  isCompared: boolean
}

/** The one node, in one session, that a token uploads for. */
export interface Holder {
  nodeId: string
  participantId: string
  sessionId: string
}

/** A segment that a holder wants to write to. */
export interface SegmentClaim extends SegmentRef, Holder {}

/**
 * Locks those of the segments that a node may write to with its token, in the order of their keys, so that two
 * groups never wait for each other in a ring. Segments of other nodes and sessions are neither locked nor returned, and of
 * those that another transaction holds none that is not waited for.
 */
export const lockSegments = async (
  trx: Transaction<Schema>,
  claims: readonly SegmentClaim[],
  isWaiting: boolean,
): Promise<AcceptingSegment[]> => {
  const column = (name: keyof SegmentClaim) => claims.map((claim) => claim[name])
  const { rows } = await sql<AcceptingSegment>`
    select s.capture_id as "captureId", s.segment_no as "segmentNo", s.storage, s.node_id as "nodeId",
      w.owner_id as "participantId", w.session_id as "sessionId",
      (s.manifest->>'chunks')::bigint as "manifestChunks", c.partition_day as "partitionDay",
      s.status not in ('pending', 'opening', 'running', 'closing') as "isFinal",
      s.storage <> 'complete' and s.manifest is not null and exists (
        select 1 from node_commands k
        where k.capture_id = s.capture_id and k.segment_no = s.segment_no and k.kind = 'segment.resend'
          and k.answered_at is null and k.payload ? 'stored') as "isCompared"
    from unnest(${column('captureId')}::uuid[], ${column('segmentNo')}::int[], ${column('nodeId')}::text[],
      ${column('participantId')}::uuid[], ${column('sessionId')}::uuid[])
      as w (capture_id, segment_no, node_id, owner_id, session_id)
    join capture_segments s using (capture_id, segment_no, node_id)
    join captures c on c.id = s.capture_id and c.session_id = w.session_id
    join runtime_nodes n on n.node_id = s.node_id and n.owner_id = w.owner_id
    order by s.capture_id, s.segment_no
    for no key update of s ${isWaiting ? sql`` : sql`skip locked`}`.execute(trx)
  return rows
}

/** Which of these captures are in the session. */
export const capturesInSession = async (
  db: Kysely<Schema>,
  captureIds: string[],
  sessionId: string,
): Promise<Set<string>> => {
  const rows = await db
    .selectFrom('captures')
    .select('id')
    .where('session_id', '=', sessionId)
    .where('id', 'in', captureIds)
    .execute()
  return new Set(rows.map((row) => row.id))
}

/** A verified chunk and the segment that takes it. */
export interface NewChunk {
  segment: AcceptingSegment
  header: ChunkHeader
  dialect: number
  flags: number
  body: Buffer
  summary: Buffer
}

/** What names a chunk within one statement's answer. */
export const chunkKey = (captureId: string, segmentNo: number, seq: number): string =>
  `${captureId}/${segmentNo}/${seq}`

/** Inserts chunks whose numbers are free; answers the keys of those that it stored. Each number at most once in `chunks`. */
export const insertChunks = async (trx: Transaction<Schema>, chunks: NewChunk[]): Promise<Set<string>> => {
  const rows = await trx
    .insertInto('capture_chunks')
    .values(
      chunks.map(({ segment, header, dialect, flags, body }) => ({
        partition_day: segment.partitionDay,
        capture_id: segment.captureId,
        segment_no: segment.segmentNo,
        seq: header.seq,
        node_id: segment.nodeId,
        raw_bytes: header.rawBytes,
        line_count: header.lineCount,
        first_event_us: header.firstEventUs,
        last_event_us: header.lastEventUs,
        sha256: Buffer.from(header.sha256),
        encoding: header.encoding,
        dialect,
        flags,
        policy_revision: header.policyRevision,
        origin: header.isRepair || segment.isFinal ? ('repair' as const) : ('live' as const),
        body,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning(['capture_id', 'segment_no', 'seq'])
    .execute()
  return new Set(rows.map((row) => chunkKey(row.capture_id, row.segment_no, row.seq)))
}

/** Inserts the summaries of newly stored chunks. */
export const insertSummaries = async (trx: Transaction<Schema>, chunks: NewChunk[]): Promise<void> => {
  await trx
    .insertInto('capture_summaries')
    .values(
      chunks.map(({ segment, header, summary }) => ({
        partition_day: segment.partitionDay,
        capture_id: segment.captureId,
        segment_no: segment.segmentNo,
        seq: header.seq,
        body: summary,
      })),
    )
    .execute()
}

/** SHA-256 of what is stored under the numbers of these chunks, by key. */
export const readStoredHashes = async (
  db: Kysely<Schema>,
  chunks: Pick<NewChunk, 'segment' | 'header'>[],
): Promise<Map<string, Buffer>> => {
  const { rows } = await sql<{ capture_id: string; segment_no: number; seq: number; sha256: Buffer }>`
    select c.capture_id, c.segment_no, c.seq, c.sha256
    from unnest(
      ${chunks.map(({ segment }) => segment.partitionDay)}::date[],
      ${chunks.map(({ segment }) => segment.captureId)}::uuid[],
      ${chunks.map(({ segment }) => segment.segmentNo)}::int[],
      ${chunks.map(({ header }) => header.seq)}::bigint[]) as wanted (partition_day, capture_id, segment_no, seq)
    join capture_chunks c using (partition_day, capture_id, segment_no, seq)`.execute(db)
  return new Map(rows.map((row) => [chunkKey(row.capture_id, row.segment_no, row.seq), row.sha256]))
}

/** What an upload adds to one segment. Event times null where no new line has one. */
export interface SegmentGrowth extends SegmentRef {
  bytes: number
  lines: number
  chunks: number
  firstEventUs: number | null
  lastEventUs: number | null
}

/** Adds to the totals of segments that {@link lockSegments} holds. */
export const growSegments = async (trx: Transaction<Schema>, growths: SegmentGrowth[]): Promise<void> => {
  await sql`
    update capture_segments s set
      byte_count = s.byte_count + g.bytes,
      line_count = s.line_count + g.lines,
      chunk_count = s.chunk_count + g.chunks,
      first_event_us = least(s.first_event_us, g.first_event_us),
      last_event_us = greatest(s.last_event_us, g.last_event_us)
    from unnest(
      ${growths.map((each) => each.captureId)}::uuid[],
      ${growths.map((each) => each.segmentNo)}::int[],
      ${growths.map((each) => each.bytes)}::bigint[],
      ${growths.map((each) => each.lines)}::bigint[],
      ${growths.map((each) => each.chunks)}::bigint[],
      ${growths.map((each) => each.firstEventUs)}::bigint[],
      ${growths.map((each) => each.lastEventUs)}::bigint[])
      as g (capture_id, segment_no, bytes, lines, chunks, first_event_us, last_event_us)
    where s.capture_id = g.capture_id and s.segment_no = g.segment_no`.execute(trx)
}
