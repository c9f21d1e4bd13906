import type { Schema } from '@sonde/database'
import type { Kysely, KyselyPlugin } from 'kysely'

/** One line of a capture, where it lies and when it merges. */
export interface PlacedLine {
  segmentNo: number
  seq: number
  lineNo: number
  text: string
}

/** What the store holds, as lists of lines by segment and chunk; `undefined` is a chunk that is missing. */
export type StoredLines = (string[] | undefined)[][]

/** The order over segments, straight from its definition: running maximum of the event time, segment, chunk, line. */
export const mergedLines = (stored: StoredLines): PlacedLine[] => {
  const rows = stored.flatMap((chunks, segmentNo) => {
    let mergeUs = -1
    return chunks.flatMap((lines, seq) =>
      (lines ?? []).map((text, lineNo) => {
        mergeUs = Math.max(mergeUs, Math.round(Number(text.split(' ')[0]) * 1e6))
        return { segmentNo, seq, lineNo, text, mergeUs }
      }),
    )
  })
  return rows
    .toSorted((a, b) => a.mergeUs - b.mergeUs || a.segmentNo - b.segmentNo || a.seq - b.seq || a.lineNo - b.lineNo)
    .map(({ segmentNo, seq, lineNo, text }) => ({ segmentNo, seq, lineNo, text }))
}

/** The same database, with a count of the chunk bodies that were read through it. */
export const countingBodies = (db: Kysely<Schema>): { db: Kysely<Schema>; bodies: () => number } => {
  let bodies = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      bodies += result.rows.filter((row) => Buffer.isBuffer(row['body'])).length
      return result
    },
  }
  return { db: db.withPlugin(plugin), bodies: () => bodies }
}
