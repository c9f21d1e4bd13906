import type { Gap } from '@sonde/contracts'
import { sql } from 'kysely'
import type { Db } from './store.ts'

/** The gaps of the segment row `s` of a query, in their order. */
export const gapsOfSegment = sql<Gap[]>`(
  select coalesce(jsonb_agg(jsonb_build_object(
    'gapNo', g.gap_no, 'reason', g.reason, 'lastEventUs', g.last_event_us, 'firstEventUs', g.first_event_us,
    'durationMs', g.duration_ms, 'lostLines', g.lost_lines, 'lostBytes', g.lost_bytes,
    'missing', case when g.from_seq is null then null
      else jsonb_build_object('fromSeq', g.from_seq, 'toSeq', g.to_seq) end
  ) order by g.gap_no), '[]')
  from capture_gaps g where g.capture_id = s.capture_id and g.segment_no = s.segment_no)`

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
