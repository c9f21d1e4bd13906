import type { Filter } from '@sonde/capture-format/filter'
import type { ExportFacts } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { readNextChunks, type CaptureRef, type SegmentEnd } from '../chunk-store.ts'
import { linesOf, MergedReader } from '../merged-reader.ts'
import type { ExportTally } from './encoder.ts'
import { CurrentLine, lineMatcher } from '../current-line.ts'
import { EXPORT_TYPES } from './formats.ts'

const BATCH_ROWS = 512
const LF = 10

export interface ExportRequest {
  capture: CaptureRef
  /** What to export: these segments, each up to its `lastSeq`. */
  ends: SegmentEnd[]
  /** Null: every line. */
  filter: Filter | null
  facts: ExportFacts
  /** Counts what was made. */
  tally: ExportTally
}

/**
 * The bytes of an export, made as they are asked for: at most a chunk of each segment and what the format holds back are in memory. The
 * same request gives the same bytes for as long as the same chunks are stored.
 */
export const exportBytes = (db: Kysely<Schema>, request: ExportRequest): AsyncGenerator<Uint8Array> => {
  const { ends, filter, facts } = request
  const [only, second] = ends
  return facts.format === 'raw' && filter === null && only && !second
    ? wholeChunks(db, request, only)
    : encoded(db, request)
}

/** One segment as it was recorded; its lines need not be told apart. */
async function* wholeChunks(
  db: Kysely<Schema>,
  { capture, tally }: ExportRequest,
  end: SegmentEnd,
): AsyncGenerator<Uint8Array> {
  for (let seq = 0; seq <= (end.lastSeq ?? -1);) {
    const [chunk] = await readNextChunks(db, capture, [{ segmentNo: end.segmentNo, seq }])
    if (!chunk || chunk.seq > (end.lastSeq ?? -1)) return
    const lines = await linesOf(chunk)
    for (let at = lines.indexOf(LF); at >= 0; at = lines.indexOf(LF, at + 1)) tally.lines += 1
    yield lines
    seq = chunk.seq + 1
  }
}

async function* encoded(
  db: Kysely<Schema>,
  { capture, ends, filter, facts, tally }: ExportRequest,
): AsyncGenerator<Uint8Array> {
  const reader = new MergedReader(db, capture)
  for (const { segmentNo, lastSeq } of ends) {
    reader.open(segmentNo)
    reader.update(segmentNo, { chunkCount: Infinity, isFinal: true, lastSeq: lastSeq ?? -1 })
  }
  const encoder = EXPORT_TYPES[facts.format].encoder(facts)
  const isWanted = filter === null ? () => true : lineMatcher(filter)
  const line = new CurrentLine(ends)
  const begin = encoder.begin?.()
  if (begin !== undefined) yield Buffer.from(begin)
  for (;;) {
    const rows = await reader.next(BATCH_ROWS, Infinity)
    if (rows.length === 0) break
    const parts: Uint8Array[] = []
    for (const row of rows) {
      line.load(row)
      if (!isWanted(line)) continue
      const part = encoder.row(line)
      if (part === null) {
        tally.skipped += 1
        continue
      }
      tally.lines += 1
      if (part.length > 0) parts.push(typeof part === 'string' ? Buffer.from(part) : part)
    }
    if (parts.length > 0) yield Buffer.concat(parts)
  }
  const end = encoder.end?.(tally)
  if (end !== undefined) yield typeof end === 'string' ? Buffer.from(end) : end
}
