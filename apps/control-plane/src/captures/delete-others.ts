import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import type { NewChunk, SegmentGrowth, SegmentRef } from './chunk-store.ts'
import { BLOCK_CHUNKS } from './profiles/block.ts'

/** Deletes what is stored under the numbers of these chunks with another content; answers what that takes from the totals. */
export const deleteOthers = async (trx: Transaction<Schema>, chunks: NewChunk[]): Promise<SegmentGrowth[]> => {
  const { rows } = await sql<SegmentRef & { lines: number; bytes: number }>`
    with wanted as (
      select * from unnest(
        ${chunks.map(({ segment }) => segment.partitionDay)}::date[],
        ${chunks.map(({ segment }) => segment.captureId)}::uuid[],
        ${chunks.map(({ segment }) => segment.segmentNo)}::int[],
        ${chunks.map(({ header }) => header.seq)}::bigint[],
        ${chunks.map(({ header }) => Buffer.from(header.sha256))}::bytea[])
        as w (partition_day, capture_id, segment_no, seq, sha256)
    ), gone as (
      delete from capture_chunks c using wanted w
      where c.partition_day = w.partition_day and c.capture_id = w.capture_id and c.segment_no = w.segment_no
        and c.seq = w.seq and c.sha256 <> w.sha256
      returning c.partition_day, c.capture_id, c.segment_no, c.seq, c.line_count, c.raw_bytes
    ), summaries as (
      delete from capture_summaries s using gone g
      where s.partition_day = g.partition_day and s.capture_id = g.capture_id and s.segment_no = g.segment_no and s.seq = g.seq
    ), profiles as (
      delete from capture_profiles p using gone g
      where p.capture_id = g.capture_id and p.segment_no = g.segment_no and p.from_seq = g.seq - g.seq % ${BLOCK_CHUNKS}
    )
    select capture_id as "captureId", segment_no as "segmentNo", line_count as lines, raw_bytes as bytes from gone`.execute(
    trx,
  )
  return rows.map(({ captureId, segmentNo, lines, bytes }) => ({
    captureId,
    segmentNo,
    lines: -lines,
    bytes: -bytes,
    chunks: -1,
    firstEventUs: null,
    lastEventUs: null,
  }))
}
