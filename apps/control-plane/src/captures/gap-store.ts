import { CAPTURE_LIMITS, type Gap, type SegmentGap } from '@sonde/contracts'
import { sql } from 'kysely'
import type { Db } from './store.ts'

/**
 * The gaps of the segment row `s` of a query, in their order. Of a seam the row has the peer only: its times are those of the
 * two segments as they are now, the older of which has the lower number.
 */
export const gapsOfSegment = sql<SegmentGap[]>`(
  select coalesce(jsonb_agg(jsonb_build_object(
    'gapNo', g.gap_no, 'reason', g.reason, 'lastEventUs', t.last_us, 'firstEventUs', t.first_us,
    'durationMs', case when g.peer_segment_no is null then g.duration_ms
      else greatest(0, coalesce((t.first_us - t.last_us) / 1000, 0)) end,
    'lostLines', g.lost_lines, 'lostBytes', g.lost_bytes,
    'missing', case when g.from_seq is null then null
      else jsonb_build_object('fromSeq', g.from_seq, 'toSeq', g.to_seq) end
  ) || case when g.peer_segment_no is null then '{}'
    else jsonb_build_object('peerSegmentNo', g.peer_segment_no) end order by g.gap_no), '[]')
  from capture_gaps g
  left join capture_segments p on p.capture_id = g.capture_id and p.segment_no = g.peer_segment_no
  cross join lateral (select
    case when p.segment_no is null then g.last_event_us
      when p.segment_no < s.segment_no then p.last_event_us else s.last_event_us end as last_us,
    case when p.segment_no is null then g.first_event_us
      when p.segment_no < s.segment_no then s.first_event_us else p.first_event_us end as first_us) t
  where g.capture_id = s.capture_id and g.segment_no = s.segment_no)`

/** Marks on both segments that the younger goes on where the older's slots went, with lines missing between. */
export const storeSeam = async (
  db: Db,
  { captureId, older, younger }: { captureId: string; older: number; younger: number },
): Promise<void> => {
  for (const [segmentNo, peer] of [
    [older, younger],
    [younger, older],
  ] as const) {
    await db
      .insertInto('capture_gaps')
      .values({
        capture_id: captureId,
        segment_no: segmentNo,
        // Above all numbers that a daemon gives; the capture's row is locked, so they count.
        gap_no: sql<number>`(select greatest(coalesce(max(gap_no), 0), ${CAPTURE_LIMITS.gaps}::int - 1) + 1
          from capture_gaps where capture_id = ${captureId} and segment_no = ${segmentNo})`,
        reason: 'role_changed',
        duration_ms: 0,
        peer_segment_no: peer,
      })
      .execute()
  }
}

/** Records what a segment's daemon tells of its gaps; one that is known is changed by what is told last. */
export const storeGaps = async (
  db: Db,
  { captureId, segmentNo }: { captureId: string; segmentNo: number },
  gaps: readonly Gap[],
): Promise<void> => {
  if (gaps.length === 0) return
  await db
    .insertInto('capture_gaps')
    .values(
      gaps.map((gap) => ({
        capture_id: captureId,
        segment_no: segmentNo,
        gap_no: gap.gapNo,
        reason: gap.reason,
        last_event_us: gap.lastEventUs,
        first_event_us: gap.firstEventUs,
        duration_ms: gap.durationMs,
        from_seq: gap.missing?.fromSeq ?? null,
        to_seq: gap.missing?.toSeq ?? null,
        lost_lines: gap.lostLines,
        lost_bytes: gap.lostBytes,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['capture_id', 'segment_no', 'gap_no']).doUpdateSet((eb) => ({
        first_event_us: eb.ref('excluded.first_event_us'),
        duration_ms: eb.ref('excluded.duration_ms'),
        to_seq: eb.ref('excluded.to_seq'),
        lost_lines: eb.ref('excluded.lost_lines'),
        lost_bytes: eb.ref('excluded.lost_bytes'),
      })),
    )
    .execute()
}

/** Whether lines are known to be missing from a segment. */
export const hasGaps = async (db: Db, captureId: string, segmentNo: number): Promise<boolean> => {
  const found = await db
    .selectFrom('capture_gaps')
    .select('gap_no')
    .where('capture_id', '=', captureId)
    .where('segment_no', '=', segmentNo)
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}
