import type { SegmentStorage } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import type { CaptureRef } from '../chunk-store.ts'

/** A segment as a search begins with it. */
export interface SearchSegment {
  segmentNo: number
  storage: SegmentStorage
  /** Chunks from this number on are not known to be of it; null when it has no manifest. */
  manifestChunks: number | null
  missing: { fromSeq: number; toSeq: number }[] | null
}

/** All segments of a capture, in the order of their numbers. */
export const readSearchSegments = async (db: Kysely<Schema>, captureId: string): Promise<SearchSegment[]> => {
  const { rows } = await sql<SearchSegment>`
    select segment_no as "segmentNo", storage, (manifest->>'chunks')::bigint as "manifestChunks", missing
    from capture_segments where capture_id = ${captureId} order by segment_no`.execute(db)
  return rows
}

/** What is known of a chunk before it is read. */
export interface SearchFact {
  segmentNo: number
  seq: number
  lineCount: number
  rawBytes: number
  lastEventUs: number
  /** By the times of its row no line can match. */
  isOutside: boolean
  /** Null where there is none, and where it is not needed. */
  summary: Buffer | null
}

/** Facts of the next chunks of these segments behind a place, by segment and seq; no body is read. */
export const readSearchFacts = async (
  db: Kysely<Schema>,
  capture: CaptureRef,
  page: {
    segmentNos: number[]
    after: { segmentNo: number; seq: number }
    limit: number
    /** Times outside of which no line matches. */
    timeRange: { from: number; to: number } | null
  },
): Promise<SearchFact[]> => {
  const { segmentNos, after, limit, timeRange } = page
  // Only with a summary are the times of the row those that a search reads in the lines.
  const isOutside = timeRange
    ? sql`m.seq is not null and (c.last_event_us < ${timeRange.from} or c.first_event_us > ${timeRange.to})`
    : sql`false`
  const { rows } = await sql<SearchFact>`
    select c.segment_no as "segmentNo", c.seq, c.line_count as "lineCount", c.raw_bytes as "rawBytes",
      c.last_event_us as "lastEventUs", ${isOutside} as "isOutside",
      case when ${isOutside} then null else m.body end as summary
    from capture_chunks c
    left join capture_summaries m on m.partition_day = ${capture.partitionDay} and m.capture_id = c.capture_id
      and m.segment_no = c.segment_no and m.seq = c.seq
    where c.partition_day = ${capture.partitionDay} and c.capture_id = ${capture.id}
      and c.segment_no = any(${segmentNos}::int[])
      and (c.segment_no, c.seq) > (${after.segmentNo}::int, ${after.seq}::bigint)
    order by c.segment_no, c.seq limit ${limit}`.execute(db)
  return rows
}

/** One chunk by its whole key. */
export interface ChunkKey {
  capture: CaptureRef
  segmentNo: number
  seq: number
}

export interface SearchBody {
  captureId: string
  segmentNo: number
  seq: number
  encoding: number
  dialect: number
  flags: number
  body: Buffer
}

/** The bodies of chunks, in no order; one that is gone is absent. */
export const readSearchBodies = async (db: Kysely<Schema>, keys: ChunkKey[]): Promise<SearchBody[]> => {
  const { rows } = await sql<SearchBody>`
    select c.capture_id as "captureId", c.segment_no as "segmentNo", c.seq, c.encoding, c.dialect, c.flags, c.body
    from unnest(
      ${keys.map(({ capture }) => capture.partitionDay)}::date[],
      ${keys.map(({ capture }) => capture.id)}::uuid[],
      ${keys.map(({ segmentNo }) => segmentNo)}::int[],
      ${keys.map(({ seq }) => seq)}::bigint[]) as wanted (partition_day, capture_id, segment_no, seq)
    join capture_chunks c using (partition_day, capture_id, segment_no, seq)`.execute(db)
  return rows
}
