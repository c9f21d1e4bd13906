import { LineErrorKind } from '@sonde/capture-format'

/** The lines of one chunk, numbered from 0 without holes in each segment. */
export interface CutChunk {
  seq: number
  /** Each line ended by LF; a copy of its own. */
  lines: Uint8Array
  lineCount: number
  /** Earliest and latest time of its lines in microseconds of the target's clock; -1 when none has one. */
  firstEventUs: number
  lastEventUs: number
  /** Its last line, and no other, was cut. */
  hasCutLine: boolean
}

const LF = 10

/** The open chunk: lines are copied once into a buffer that is used for every chunk, and once more when it is cut. */
export class ChunkBuffer {
  readonly #bytes: Buffer
  /** A line that is longer than the whole buffer, alone in its chunk. */
  #oversize: Buffer | undefined
  #size = 0
  #lineCount = 0
  #seq = 0
  #firstEventUs = -1
  #lastEventUs = -1
  #hasCutLine = false

  /** @param capacity bytes of a chunk */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
  }

  get size(): number {
    return this.#size
  }

  get lineCount(): number {
    return this.#lineCount
  }

  /** Adds a line and its LF. The caller cuts before a line that does not fit beside those that are there. */
  append(line: { bytes: Uint8Array; start: number; end: number; error: LineErrorKind | null }, eventUs: number): void {
    const length = line.end - line.start + 1
    const isOversize = length > this.#bytes.length
    if (isOversize) this.#oversize = Buffer.allocUnsafeSlow(length)
    const target = this.#oversize ?? this.#bytes
    copyLine(target, this.#size, line)
    this.#size += length
    target[this.#size - 1] = LF
    this.#lineCount += 1
    if (line.error === LineErrorKind.cut) this.#hasCutLine = true
    if (eventUs < 0) return
    if (this.#firstEventUs < 0 || eventUs < this.#firstEventUs) this.#firstEventUs = eventUs
    if (eventUs > this.#lastEventUs) this.#lastEventUs = eventUs
  }

  /** Goes on with this number; before the first line. */
  skipTo(seq: number): void {
    this.#seq = Math.max(this.#seq, seq)
  }

  /** Hands out what is there under the next number and starts anew. */
  cut(): CutChunk {
    const chunk: CutChunk = {
      seq: this.#seq,
      lines: this.#oversize ?? Uint8Array.prototype.slice.call(this.#bytes, 0, this.#size),
      lineCount: this.#lineCount,
      firstEventUs: this.#firstEventUs,
      lastEventUs: this.#lastEventUs,
      hasCutLine: this.#hasCutLine,
    }
    this.#oversize = undefined
    this.#seq += 1
    this.#size = 0
    this.#lineCount = 0
    this.#firstEventUs = -1
    this.#lastEventUs = -1
    this.#hasCutLine = false
    return chunk
  }
}

/** Below this many bytes a loop is faster than making the view that `set` needs. */
const LOOP_BYTES = 64

const copyLine = (
  target: Buffer,
  at: number,
  { bytes, start, end }: { bytes: Uint8Array; start: number; end: number },
) => {
  if (end - start >= LOOP_BYTES) target.set(bytes.subarray(start, end), at)
  else for (let pos = start; pos < end; pos += 1) target[at + pos - start] = bytes[pos]!
}
