import type { SegmentManifest } from '@sonde/contracts'
import { manifestRoot } from '@sonde/capture-format/chunk'
import type { Db } from './store.ts'

/** What is stored of a segment, in the form of a daemon's manifest, with the numbers that are there in order. */
export const storedManifest = async (
  db: Db,
  captureId: string,
  segmentNo: number,
): Promise<SegmentManifest & { seqs: number[] }> => {
  const chunks = await db
    .selectFrom('capture_chunks as k')
    .innerJoin('captures as c', (join) =>
      join.onRef('c.id', '=', 'k.capture_id').onRef('c.partition_day', '=', 'k.partition_day'),
    )
    .select(['k.seq', 'k.sha256', 'k.line_count', 'k.raw_bytes'])
    .where('c.id', '=', captureId)
    .where('k.segment_no', '=', segmentNo)
    .orderBy('k.seq')
    .execute()
  return {
    chunks: chunks.length,
    lines: chunks.reduce((sum, chunk) => sum + chunk.line_count, 0),
    bytes: chunks.reduce((sum, chunk) => sum + chunk.raw_bytes, 0),
    root: manifestRoot(chunks),
    seqs: chunks.map((chunk) => chunk.seq),
  }
}
