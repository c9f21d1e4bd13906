import type { CommittedSegment, SegmentStatus, segmentsCommittedInput } from '@sonde/contracts'
import { sql } from 'kysely'
import type { z } from 'zod'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { requireActiveNode } from '../nodes/index.ts'
import type { Db } from './store.ts'

interface SegmentRef {
  captureId: string
  segmentNo: number
}

interface StoredRow extends SegmentRef {
  status: SegmentStatus
  first: number | null
  last: number | null
  /** What is missing between the first and the last. */
  holes: { fromSeq: number; toSeq: number }[]
}

const MAX_HOLES = 1024

/** What is stored of each segment of the node, whatever epoch cut it; null as status for one that is not the node's. */
export const committedSegments = async (
  { db }: Resources,
  principal: Principal,
  input: z.output<typeof segmentsCommittedInput>,
): Promise<{ segments: CommittedSegment[] }> => {
  const { nodeId, epoch, segments } = input
  await requireActiveNode(db, { principal, nodeId, epoch })
  const rows = await readStored(db, nodeId, segments)
  const stored = new Map(rows.map((row) => [`${row.captureId}/${row.segmentNo}`, row]))
  return {
    segments: segments.map(({ captureId, segmentNo }) => {
      const row = stored.get(`${captureId}/${segmentNo}`)
      return { captureId, segmentNo, status: row?.status ?? null, ...extentOf(row) }
    }),
  }
}

const extentOf = (row: StoredRow | undefined): Pick<CommittedSegment, 'contiguous' | 'last' | 'holes'> => {
  if (!row || row.first === null || row.last === null) return { contiguous: -1, last: -1, holes: [] }
  const { first, last } = row
  const holes = first > 0 ? [{ fromSeq: 0, toSeq: first - 1 }, ...row.holes] : row.holes
  const [hole] = holes
  if (!hole) return { contiguous: last, last, holes }
  const contiguous = hole.fromSeq - 1
  return { contiguous, last, holes: holes.length > MAX_HOLES ? [{ fromSeq: contiguous + 1, toSeq: last }] : holes }
}

const readStored = async (db: Db, nodeId: string, refs: readonly SegmentRef[]): Promise<StoredRow[]> => {
  const { rows } = await sql<StoredRow>`
    with wanted as (
      select s.capture_id, s.segment_no, s.status, c.partition_day
      from unnest(${refs.map((ref) => ref.captureId)}::uuid[], ${refs.map((ref) => ref.segmentNo)}::int[])
        as asked (capture_id, segment_no)
      join capture_segments s using (capture_id, segment_no)
      join captures c on c.id = s.capture_id
      where s.node_id = ${nodeId}
    ), steps as (
      select k.capture_id, k.segment_no, k.seq,
        lead(k.seq) over (partition by k.capture_id, k.segment_no order by k.seq) as next
      from wanted w
      join capture_chunks k using (partition_day, capture_id, segment_no)
    )
    select w.capture_id as "captureId", w.segment_no as "segmentNo", w.status,
      min(k.seq) as first, max(k.seq) as last,
      coalesce(jsonb_agg(jsonb_build_object('fromSeq', k.seq + 1, 'toSeq', k.next - 1) order by k.seq)
        filter (where k.next > k.seq + 1), '[]') as holes
    from wanted w
    left join steps k using (capture_id, segment_no)
    group by w.capture_id, w.segment_no, w.status`.execute(db)
  return rows
}
