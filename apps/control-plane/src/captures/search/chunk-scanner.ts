import { zstdDecompressSync } from 'node:zlib'
import { LineErrorKind, MonitorLine, parseLineTime, parseMonitorLine, type Dialect } from '@sonde/capture-format'
import { ChunkEncoding, ChunkFlag, dialectOfCode } from '@sonde/capture-format/chunk'
import { compileFilter, parseFilter, type Filter, type LinePredicate } from '@sonde/capture-format/filter'
import { requiredTexts } from '@sonde/capture-format/summary'
import { emptyTallies, FacetCounts, type FacetTallies } from './facet-counts.ts'
import { comparePositions, type Position } from './position.ts'

/** A chunk that is to be read, and which of its rows are wanted. */
export interface ScanChunk {
  captureNo: number
  segmentNo: number
  seq: number
  encoding: number
  dialect: number
  flags: number
  rawBytes: number
  body: Uint8Array
  /** Merge time before its first line, and the latest that a line of it can have. */
  beforeUs: number
  lastUs: number
  /** Only rows behind it. */
  after: Position | null
  /** Rows that are wanted at the most; all that match are counted. */
  wanted: number
}

/** A row of an answer, its line as Latin-1. */
export interface FoundRow extends Position {
  eventUs: number
  line: string
  isCut: boolean
}

export interface ChunkMatches {
  /** Lines that match. */
  count: number
  rows: FoundRow[]
}

const LF = 10
const ESCAPED_BYTE = Buffer.from('\\x')

/** Finds the lines of chunks that match one filter. Works in any thread; one chunk after the other. */
export class ChunkScanner {
  readonly #filter: Filter | null
  /** Bytes of which each match has some; null where all lines must be parsed. */
  readonly #texts: Buffer[] | null
  readonly #facets: FacetCounts | null
  readonly #predicates = new Map<number, LinePredicate>()
  readonly #lines = new Map<Dialect, MonitorLine>()
  /** Where the lines that matched begin, in the chunk read last. */
  readonly #starts: number[] = []

  constructor({ filter, countsFacets }: { filter: string; countsFacets: boolean }) {
    this.#filter = parseFilter(filter)
    const texts = this.#filter && requiredTexts(this.#filter)
    this.#texts = texts && texts.map((text) => Buffer.from(text))
    this.#facets = countsFacets ? new FacetCounts() : null
  }

  /** Throws for a chunk whose body is not what its row says. */
  scan(chunk: ScanChunk): ChunkMatches {
    const lines = decompress(chunk)
    const line = this.#lineOf(chunk.dialect)
    const texts = this.#texts && withEscapes(this.#texts, lines)
    const count = texts ? this.#scanTexts(chunk, { lines, line, texts }) : this.#scanAll(chunk, lines, line)
    return { count, rows: chunk.wanted > 0 && count > 0 ? this.#rows(chunk, lines, line) : [] }
  }

  /** What was counted by value; empty when that was not asked for. */
  facets(): FacetTallies {
    return this.#facets?.take() ?? emptyTallies()
  }

  #scanAll(chunk: ScanChunk, lines: Buffer, line: MonitorLine): number {
    let count = 0
    for (let start = 0; start < lines.length;) {
      const end = endOf(lines, start)
      if (this.#isMatch(chunk, { lines, line, start, end })) {
        this.#starts[count] = start
        count += 1
      }
      start = end + 1
    }
    this.#starts.length = count
    return count
  }

  /** Jumps from one occurrence of a required text to the next and parses only the lines in which they are. */
  #scanTexts(chunk: ScanChunk, at: { lines: Buffer; line: MonitorLine; texts: Buffer[] }): number {
    const { lines, line, texts } = at
    const next = texts.map((text) => foundAt(lines, text, 0))
    let count = 0
    for (let from = 0; ;) {
      let found = Infinity
      for (let index = 0; index < texts.length; index += 1) {
        if (next[index]! < from) next[index] = foundAt(lines, texts[index]!, from)
        if (next[index]! < found) found = next[index]!
      }
      if (found === Infinity) break
      const start = found === 0 ? 0 : lines.lastIndexOf(LF, found - 1) + 1
      const end = endOf(lines, found)
      if (this.#isMatch(chunk, { lines, line, start, end })) {
        this.#starts[count] = start
        count += 1
      }
      from = end + 1
    }
    this.#starts.length = count
    return count
  }

  #isMatch(
    { segmentNo, flags }: ScanChunk,
    { lines, line, start, end }: { lines: Buffer; line: MonitorLine; start: number; end: number },
  ): boolean {
    const parsed = parseMonitorLine(lines, start, end, line)
    const error = isCutLine(flags, lines, end) ? LineErrorKind.cut : parsed
    if (!this.#predicateOf(segmentNo)(line, error)) return false
    this.#facets?.add(line)
    return true
  }

  /** The first rows that are wanted. Merge times need the times of all lines before. */
  #rows({ captureNo, segmentNo, seq, ...chunk }: ScanChunk, lines: Buffer, scratch: MonitorLine): FoundRow[] {
    const rows: FoundRow[] = []
    let mergeUs = chunk.beforeUs
    let nextMatch = 0
    for (let start = 0, lineNo = 0; nextMatch < this.#starts.length && rows.length < chunk.wanted; lineNo += 1) {
      const end = endOf(lines, start)
      const eventUs = parseLineTime(lines, start, end, scratch)
      // No line may merge later than its chunk's row says: that is where the next chunk begins.
      mergeUs = Math.max(mergeUs, Math.min(eventUs, chunk.lastUs))
      if (start === this.#starts[nextMatch]) {
        nextMatch += 1
        const position = { mergeUs, captureNo, segmentNo, seq, lineNo }
        if (chunk.after === null || comparePositions(position, chunk.after) > 0) {
          const isCut = isCutLine(chunk.flags, lines, end)
          rows.push({ ...position, eventUs, line: lines.toString('latin1', start, end), isCut })
        }
      }
      start = end + 1
    }
    return rows
  }

  #predicateOf(segmentNo: number): LinePredicate {
    const known = this.#predicates.get(segmentNo)
    if (known) return known
    const made = this.#filter === null ? () => true : compileFilter(this.#filter, { segmentNo })
    this.#predicates.set(segmentNo, made)
    return made
  }

  #lineOf(code: number): MonitorLine {
    const dialect = dialectOfCode(code) ?? 'bracket'
    const line = this.#lines.get(dialect) ?? new MonitorLine({ dialect })
    this.#lines.set(dialect, line)
    return line
  }
}

const decompress = ({ encoding, body, rawBytes }: ScanChunk): Buffer => {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (encoding === ChunkEncoding.raw) return bytes
  const size = Math.max(64, rawBytes)
  // All at once: pieces of the usual 16 KiB cost as much as the decompression.
  return zstdDecompressSync(bytes, { chunkSize: size, maxOutputLength: size })
}

/** Where some byte is written as a number, a required text may be written so as well: such lines are parsed too. */
const withEscapes = (texts: Buffer[], lines: Buffer): Buffer[] =>
  lines.includes(ESCAPED_BYTE) ? [...texts, ESCAPED_BYTE] : texts

const foundAt = (lines: Buffer, text: Buffer, from: number): number => {
  const found = lines.indexOf(text, from)
  return found < 0 ? Infinity : found
}

const endOf = (lines: Buffer, start: number): number => {
  const found = lines.indexOf(LF, start)
  return found < 0 ? lines.length : found
}

const isCutLine = (flags: number, lines: Buffer, end: number): boolean =>
  (flags & ChunkFlag.cutLine) !== 0 && end + 1 >= lines.length
