import { manifestRoot } from '@sonde/capture-format/chunk'
import type { StoredManifest } from './compare-manifest.ts'
import type { Db } from './store.ts'

/** With the hash of each chunk, in the order of `seqs`. */
export interface StoredChunks extends StoredManifest {
  sha256s: readonly Buffer[]
}

/** What is stored of a segment, set against a manifest that has the numbers below `chunks`. */
export const storedManifest = async (
  db: Db,
  segment: { captureId: string; segmentNo: number },
  chunks: number,
): Promise<StoredChunks> => {
  const all = await db
    .selectFrom('capture_chunks as k')
    .innerJoin('captures as c', (join) =>
      join.onRef('c.id', '=', 'k.capture_id').onRef('c.partition_day', '=', 'k.partition_day'),
    )
    .select(['k.seq', 'k.sha256', 'k.line_count', 'k.raw_bytes'])
    .where('c.id', '=', segment.captureId)
    .where('k.segment_no', '=', segment.segmentNo)
    .orderBy('k.seq')
    .execute()
  const within = all.filter((chunk) => chunk.seq < chunks)
  return {
    within: {
      chunks: within.length,
      lines: within.reduce((sum, chunk) => sum + chunk.line_count, 0),
      bytes: within.reduce((sum, chunk) => sum + chunk.raw_bytes, 0),
      root: manifestRoot(within),
    },
    seqs: within.map((chunk) => chunk.seq),
    sha256s: within.map((chunk) => chunk.sha256),
    extra: all.length - within.length,
  }
}
