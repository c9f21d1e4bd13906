import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { CaptureRef, SegmentRef } from '../chunk-store.ts'
import { BLOCK_CHUNKS } from './block.ts'

/** Captures that ended longer ago are profiled when somebody asks. */
const RECENT = sql`interval '1 hour'`
const LISTED = 64

const SETTLED = sql`s.status not in ('pending', 'opening', 'running', 'closing') and s.storage in ('complete', 'incomplete')`

export interface DueSegment extends SegmentRef {
  partitionDay: string
}

/**
 * Segments of running and recent captures with chunks that no profile has: settled ones, and of the others those that have enough
 * of them for a whole block.
 */
export const findDueSegments = async (db: Kysely<Schema>): Promise<DueSegment[]> => {
  const { rows } = await sql<DueSegment>`
    select s.capture_id as "captureId", s.segment_no as "segmentNo", c.partition_day as "partitionDay"
    from captures c join capture_segments s on s.capture_id = c.id
    cross join lateral (
      select coalesce(sum(chunk_count), 0) as chunks from capture_profiles p
      where p.capture_id = s.capture_id and p.segment_no = s.segment_no
    ) made
    where (c.ended_at is null or c.ended_at > now() - ${RECENT}) and s.chunk_count <> made.chunks
      and ((${SETTLED}) or s.chunk_count - made.chunks >= ${BLOCK_CHUNKS})
    order by s.capture_id, s.segment_no limit ${LISTED}`.execute(db)
  return rows
}

/** Every segment of one capture with chunks that no profile has. */
export const findDueSegmentsOf = async (db: Kysely<Schema>, capture: CaptureRef): Promise<DueSegment[]> => {
  const { rows } = await sql<DueSegment>`
    select s.capture_id as "captureId", s.segment_no as "segmentNo", ${capture.partitionDay} as "partitionDay"
    from capture_segments s
    where s.capture_id = ${capture.id} and s.chunk_count <> (
      select coalesce(sum(chunk_count), 0) from capture_profiles p
      where p.capture_id = s.capture_id and p.segment_no = s.segment_no)
    order by s.segment_no`.execute(db)
  return rows
}

/** Whether this transaction may make profiles of a segment until it ends; false while another one does. */
export const claimSegment = async (trx: Transaction<Schema>, segment: SegmentRef): Promise<boolean> => {
  const name = `sonde.profile/${segment.captureId}/${segment.segmentNo}`
  const { rows } = await sql<{ isFree: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as "isFree"`.execute(trx)
  return rows[0]?.isFree === true
}

/** Whether nothing more is expected of a segment. */
export const isSettled = async (trx: Transaction<Schema>, { captureId, segmentNo }: SegmentRef): Promise<boolean> => {
  const { rows } = await sql<{ isSettled: boolean }>`
    select ${SETTLED} as "isSettled" from capture_segments s
    where s.capture_id = ${captureId} and s.segment_no = ${segmentNo}`.execute(trx)
  return rows[0]?.isSettled === true
}

/** The first block with another number of chunks than its profile was made of; with `onlyWhole` only one that can get no more. */
export const findDueBlock = async (
  trx: Transaction<Schema>,
  { captureId, segmentNo, partitionDay }: DueSegment,
  onlyWhole: boolean,
): Promise<number | undefined> => {
  const { rows } = await sql<{ fromSeq: number }>`
    select b.from_seq as "fromSeq" from (
      select seq - seq % ${BLOCK_CHUNKS} as from_seq, count(*) as chunks from capture_chunks
      where partition_day = ${partitionDay} and capture_id = ${captureId} and segment_no = ${segmentNo}
      group by 1
    ) b
    left join capture_profiles p
      on p.capture_id = ${captureId} and p.segment_no = ${segmentNo} and p.from_seq = b.from_seq
    where b.chunks is distinct from p.chunk_count and (not ${onlyWhole}::bool or b.chunks = ${BLOCK_CHUNKS})
    order by b.from_seq limit 1`.execute(trx)
  return rows[0]?.fromSeq
}

/** A chunk as a profile needs it. */
export interface BlockChunk {
  seq: number
  sha256: Buffer
  rawBytes: number
  encoding: number
  dialect: number
  flags: number
  body: Buffer
  /** Whether it is of the segment: what lies beyond the manifest is not known to be. */
  isShown: boolean
}

/** Chunks of a block behind `afterSeq`, in order. */
export const readBlock = async (
  trx: Transaction<Schema>,
  { captureId, segmentNo, partitionDay }: DueSegment,
  page: { afterSeq: number; toSeq: number; limit: number },
): Promise<BlockChunk[]> => {
  const { rows } = await sql<BlockChunk>`
    select c.seq, c.sha256, c.raw_bytes as "rawBytes", c.encoding, c.dialect, c.flags, c.body,
      c.seq < coalesce((s.manifest->>'chunks')::bigint, ${Number.MAX_SAFE_INTEGER}) as "isShown"
    from capture_chunks c
    join capture_segments s on s.capture_id = c.capture_id and s.segment_no = c.segment_no
    where c.partition_day = ${partitionDay} and c.capture_id = ${captureId} and c.segment_no = ${segmentNo}
      and c.seq > ${page.afterSeq} and c.seq <= ${page.toSeq}
    order by c.seq limit ${page.limit}`.execute(trx)
  return rows
}

/**
 * Keeps the profile of a block whose chunks still have these hashes. False for any other one, which is due again, and where the
 * segment is gone. An upload to the segment is waited for,
 * and none comes between the look and the commit.
 */
export const storeProfile = async (
  trx: Transaction<Schema>,
  { captureId, segmentNo, partitionDay }: DueSegment,
  made: { fromSeq: number; chunkCount: number; sha256: Buffer; profile: Uint8Array },
): Promise<boolean> => {
  await sql`select from capture_segments where capture_id = ${captureId} and segment_no = ${segmentNo} for share`.execute(
    trx,
  )
  const { numAffectedRows = 0n } = await sql`
    insert into capture_profiles (capture_id, segment_no, from_seq, chunk_count, profile)
    select s.capture_id, s.segment_no, ${made.fromSeq}, ${made.chunkCount}, ${Buffer.from(made.profile)}
    from capture_segments s
    where s.capture_id = ${captureId} and s.segment_no = ${segmentNo} and ${made.sha256} = (
      select sha256(string_agg(sha256, ''::bytea order by seq)) from capture_chunks
      where partition_day = ${partitionDay} and capture_id = s.capture_id and segment_no = s.segment_no
        and seq >= ${made.fromSeq} and seq < ${made.fromSeq + BLOCK_CHUNKS})
    on conflict (capture_id, segment_no, from_seq)
      do update set chunk_count = excluded.chunk_count, profile = excluded.profile, made_at = now()`.execute(trx)
  return numAffectedRows > 0n
}

/** A few profiles of a segment behind `afterSeq`, in order. */
export const readProfileRows = (
  db: Kysely<Schema>,
  { captureId, segmentNo }: SegmentRef,
  page: { afterSeq: number; limit: number },
): Promise<{ fromSeq: number; profile: Buffer }[]> =>
  db
    .selectFrom('capture_profiles')
    .select(['from_seq as fromSeq', 'profile'])
    .where('capture_id', '=', captureId)
    .where('segment_no', '=', segmentNo)
    .where('from_seq', '>', page.afterSeq)
    .orderBy('from_seq')
    .limit(page.limit)
    .execute()
