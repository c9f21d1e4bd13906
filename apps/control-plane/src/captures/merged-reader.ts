import { MonitorLine, parseLineTime, SegmentMerge, type MergedLine } from '@sonde/capture-format'
import { ChunkEncoding, ChunkFlag, decompressLines } from '@sonde/capture-format/chunk'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { readNextChunks, type CaptureRef, type StoredChunk } from './chunk-store.ts'
import type { SegmentPosition } from './tail-cursor.ts'

/** One stored line: bytes `start` to `end` of `lines`, where the LF follows. */
export interface StoredLine {
  seq: number
  lineNo: number
  /** Microseconds; -1 where the line has no time. */
  eventUs: number
  lines: Buffer
  start: number
  end: number
  /** As the chunk's row has it. */
  dialect: number
  /** Not all of it is stored. */
  isCut: boolean
}

export interface FeedState {
  /** Committed chunks; `Infinity` when not counted. */
  chunkCount: number
  /** Whether no chunk of it will be waited for: holes in the numbering are then read over. */
  isFinal: boolean
  /** Chunks above it are not read. @default Infinity */
  lastSeq?: number
}

interface Feed {
  readonly segmentNo: number
  nextSeq: number
  /** Where the first chunk is picked up in the middle. */
  resume: SegmentPosition
  /** Rows in the merge. */
  queued: number
  /** Merge time of the newest row that was put into the merge. */
  newestUs: number
  chunkCount: number
  isFinal: boolean
  lastSeq: number
  /** Whether no further chunk is known to be there. */
  isDry: boolean
}

/** Lines of one answer hold their chunks in memory: 512 of 1 MiB would be half a gigabyte. */
const MOST_BYTES = 2 ** 20

const FIRST: SegmentPosition = { seq: 0, lineNo: -1, mergeUs: -1 }

/**
 * Reads the committed lines of a capture in merged order, by (merge time, segment, seq, line). Holds one chunk of each
 * segment. Chunks of a segment are read in the order of their numbers without a hole, until the segment is final.
 */
export class MergedReader {
  readonly #db: Kysely<Schema>
  readonly #capture: CaptureRef
  readonly #merge = new SegmentMerge<StoredLine>()
  readonly #feeds = new Map<number, Feed>()
  #held = 0

  constructor(db: Kysely<Schema>, capture: CaptureRef) {
    this.#db = db
    this.#capture = capture
  }

  /** Adds a segment, once, to be read from a position on. */
  open(segmentNo: number, from: SegmentPosition = FIRST): void {
    if (this.#feeds.has(segmentNo)) return
    this.#merge.open(segmentNo, from.mergeUs)
    this.#feeds.set(segmentNo, {
      segmentNo,
      nextSeq: from.seq,
      resume: from,
      queued: 0,
      newestUs: from.mergeUs,
      chunkCount: 0,
      isFinal: false,
      lastSeq: Infinity,
      isDry: true,
    })
  }

  /** Tells what is committed of a segment now. */
  update(segmentNo: number, state: FeedState): void {
    const feed = this.#feeds.get(segmentNo)
    if (!feed) return
    const becomesFinal = state.isFinal && !feed.isFinal
    feed.chunkCount = state.chunkCount
    feed.isFinal = state.isFinal
    feed.lastSeq = state.lastSeq ?? Infinity
    if (becomesFinal) feed.isDry = state.chunkCount === 0
    else if (!state.isFinal) feed.isDry = state.chunkCount <= feed.nextSeq
  }

  /** Whether lines are held back that only time or other segments will release. */
  get isHolding(): boolean {
    return this.#held > 0
  }

  /**
   * The next lines, at most `limit` and about {@link MOST_BYTES}; none when all that can go is gone. A segment that is not final and has nothing more
   * holds the others back to its newest line, and to `horizonUs` at the longest.
   */
  async next(limit: number, horizonUs: number): Promise<MergedLine<StoredLine>[]> {
    const rows: MergedLine<StoredLine>[] = []
    let bytes = 0
    while (rows.length < limit && bytes < MOST_BYTES) {
      await this.#fill()
      const before = rows.length
      this.#take(rows, limit, horizonUs)
      if (rows.length === before) break
      for (let at = before; at < rows.length; at += 1) bytes += rows[at]!.line.end - rows[at]!.line.start
    }
    return rows
  }

  /** Takes rows until a segment whose next chunk is known has none left: its next line may come before all others. */
  #take(rows: MergedLine<StoredLine>[], limit: number, horizonUs: number): void {
    const watermark = watermarkUs(this.#feeds.values(), horizonUs)
    while (rows.length < limit) {
      const [row] = this.#merge.take(watermark, 1)
      if (!row) return
      rows.push(row)
      this.#held -= 1
      const feed = this.#feeds.get(row.segmentNo)
      if (!feed) continue
      feed.queued -= 1
      if (feed.queued === 0 && !feed.isDry) return
    }
  }

  async #fill(): Promise<void> {
    for (;;) {
      const empty = [...this.#feeds.values()].filter((feed) => feed.queued === 0 && !feed.isDry)
      if (empty.length === 0) return
      const wanted = empty.map(({ segmentNo, nextSeq }) => ({ segmentNo, seq: nextSeq }))
      const chunks = await readNextChunks(this.#db, this.#capture, wanted)
      const bySegment = new Map(chunks.map((chunk) => [chunk.segmentNo, chunk]))
      for (const feed of empty) await this.#load(feed, bySegment.get(feed.segmentNo))
    }
  }

  async #load(feed: Feed, chunk: StoredChunk | undefined): Promise<void> {
    const isHole = chunk !== undefined && !feed.isFinal && chunk.seq !== feed.nextSeq
    if (!chunk || isHole || chunk.seq > feed.lastSeq) {
      feed.isDry = true
      return
    }
    const lines = splitLines(chunk, await linesOf(chunk), chunk.seq === feed.resume.seq ? feed.resume.lineNo : -1)
    this.#merge.push(feed.segmentNo, lines)
    this.#held += lines.length
    feed.queued += lines.length
    for (const line of lines) feed.newestUs = Math.max(feed.newestUs, line.eventUs)
    feed.nextSeq = chunk.seq + 1
    if (!feed.isFinal) feed.isDry = feed.chunkCount <= feed.nextSeq
  }
}

/**
 * The merge time up to which no line can come any more that belongs before: of each segment that is read to its end and
 * not final its newest line, or `horizonUs` when that is later. Final segments hold nothing back.
 */
export const watermarkUs = (
  segments: Iterable<Pick<Feed, 'isDry' | 'isFinal' | 'newestUs'>>,
  horizonUs: number,
): number => {
  let watermark = Infinity
  for (const { isDry, isFinal, newestUs } of segments) {
    if (isDry && !isFinal) watermark = Math.min(watermark, Math.max(newestUs, horizonUs))
  }
  return watermark
}

/** The lines of a stored chunk, decompressed. */
export const linesOf = (chunk: StoredChunk): Promise<Buffer> =>
  decompressLines(
    chunk.encoding === ChunkEncoding.raw ? ChunkEncoding.raw : ChunkEncoding.zstd,
    chunk.body,
    chunk.rawBytes,
  )

const LF = 10

const splitLines = ({ seq, dialect, flags }: StoredChunk, lines: Buffer, afterLineNo: number): StoredLine[] => {
  const out: StoredLine[] = []
  const scratch = new MonitorLine()
  for (let start = 0, lineNo = 0; start < lines.length; lineNo += 1) {
    const found = lines.indexOf(LF, start)
    const end = found < 0 ? lines.length : found
    if (lineNo > afterLineNo) {
      const isCut = (flags & ChunkFlag.cutLine) !== 0 && end + 1 >= lines.length
      out.push({ seq, lineNo, eventUs: parseLineTime(lines, start, end, scratch), lines, start, end, dialect, isCut })
    }
    start = end + 1
  }
  return out
}
