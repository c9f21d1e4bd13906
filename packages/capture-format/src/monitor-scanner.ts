import { CR, LF, PLUS, QUOTE, isDigit } from './ascii.ts'
import { wholeEnd } from './cut-line.ts'
import { LineErrorKind, MonitorLine, type Dialect } from './monitor-line.ts'
import { parseMonitorLine } from './parse-line.ts'
import { afterProxyPrefix } from './read-header.ts'
import { ReplyReader, type ReplyKind } from './reply-reader.ts'

/** Where a scanner hands what it found. */
export interface ScannerSink {
  /**
   * One line in its stored form, `bytes` from `start` to `end`: the server's bytes without the leading `+`, CR and LF, or
   * the raw line when `error` says that it is malformed. `parsed` holds its parts, of a cut line those that are left. Both
   * are used again after the call: copy what must live longer.
   */
  line(bytes: Uint8Array, start: number, end: number, parsed: MonitorLine, error: LineErrorKind | null): void
  /** A reply between the lines; the text of an aggregate is empty, that of a bulk string its first 4096 bytes. */
  reply(kind: ReplyKind, text: string): void
}

export interface MonitorScannerOptions {
  sink: ScannerSink
  /** @default bracket */
  dialect?: Dialect
  /** A longer line, in stored bytes, is cut. At least 64. @default 1 MiB */
  maxLineBytes?: number
}

/** Lines seen: `received = parsed + malformed + truncated`, always; a line over the limit is truncated only. */
export interface ScannerCounters {
  received: number
  parsed: number
  malformed: number
  truncated: number
}

/**
 * Frames what a server sends to a monitor connection. LF ends a line; a MONITOR line is `+` and a digit; other replies
 * are read whole. After garbage, or a line that may have been broken inside a value, everything up to the next LF
 * followed by `+` and a digit is malformed lines. The result does not depend on how the bytes are split over `push`, and
 * no more than `maxLineBytes` + 2 bytes wait between two of them.
 */
export class MonitorScanner {
  readonly counters: ScannerCounters = { received: 0, parsed: 0, malformed: 0, truncated: 0 }
  readonly #sink: ScannerSink
  readonly #max: number
  readonly #line: MonitorLine
  readonly #reply: ReplyReader
  #lost = false
  /** The beginning of a line whose end has not come yet, its length so far, and its last byte. */
  #carry = new Uint8Array(4096)
  #carried = 0
  #length = 0
  #last = 0

  constructor(options: MonitorScannerOptions) {
    this.#sink = options.sink
    this.#max = options.maxLineBytes ?? 2 ** 20
    if (!(this.#max >= 64)) throw new RangeError('maxLineBytes must be at least 64')
    this.#line = new MonitorLine({ ...(options.dialect && { dialect: options.dialect }), masked: false })
    this.#reply = new ReplyReader((kind, text) => this.#sink.reply(kind, text))
  }

  /** Memory held for a line that has not ended, in bytes. */
  get heldBytes(): number {
    return this.#carry.length
  }

  push(chunk: Uint8Array): void {
    const size = chunk.length
    for (let pos = 0; pos < size;) {
      if (this.#reply.bodyLeft > 0) {
        const end = Math.min(size, pos + this.#reply.bodyLeft)
        if (!this.#reply.body(chunk, pos)) this.#lost = true
        pos = end
        continue
      }
      const end = chunk.indexOf(LF, pos)
      if (end < 0) return this.#keep(chunk, pos, size)
      if (this.#length === 0) {
        this.#last = end > pos ? chunk[end - 1]! : 0
        this.#take(chunk, pos, end - pos)
      } else {
        this.#keep(chunk, pos, end)
        const length = this.#length
        this.#length = 0
        this.#carried = 0
        this.#take(this.#carry, 0, length)
      }
      pos = end + 1
    }
  }

  /**
   * The stream has ended. A line without its LF may lack arguments, so it is handed over as cut; the beginning of a reply
   * is not a line and is dropped.
   */
  end(): void {
    const length = this.#length - (this.#last === CR ? 1 : 0)
    const carry = this.#carry
    this.#length = 0
    this.#carried = 0
    if (length <= 0 || this.#reply.isOpen) return this.#reply.abandon()
    if (this.#startsLine(carry, 0, length)) this.#cutLine(carry, 1, length - 1)
    else if (this.#lost || !'+-:$*~>%|=!,#_('.includes(String.fromCharCode(carry[0]!))) {
      this.#malformedLine(carry, 0, length)
    }
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    if (end === start) return
    const limit = this.#max + 2
    const room = Math.min(end - start, limit - this.#carried)
    if (this.#carried + room > this.#carry.length) {
      const grown = new Uint8Array(Math.min(limit, Math.max(this.#carry.length * 2, this.#carried + room)))
      grown.set(this.#carry.subarray(0, this.#carried))
      this.#carry = grown
    }
    if (room > 0) this.#carry.set(chunk.subarray(start, start + room), this.#carried)
    this.#carried += room
    this.#length += end - start
    this.#last = chunk[end - 1]!
  }

  /** One line of the stream: `rawLength` bytes before the LF, of which at least the first `maxLineBytes` + 2 are there. */
  #take(bytes: Uint8Array, start: number, rawLength: number): void {
    const length = this.#last === CR && rawLength > 0 ? rawLength - 1 : rawLength
    if (!this.#reply.isOpen && this.#startsLine(bytes, start, length)) {
      if (length - 1 > this.#max) this.#cutLine(bytes, start + 1, this.#max)
      else this.#wholeLine(bytes, start + 1, start + length)
    } else if (this.#lost || !this.#reply.header(bytes, start, start + Math.min(length, this.#max))) {
      this.#lost = true
      this.#malformedLine(bytes, start, length)
    }
  }

  #startsLine(bytes: Uint8Array, start: number, length: number): boolean {
    if (length < 2 || bytes[start] !== PLUS) return false
    if (isDigit(bytes[start + 1])) return true
    const end = start + Math.min(length, this.#max)
    const after = afterProxyPrefix(bytes, start + 1, end)
    return after > start + 1 && after < end && isDigit(bytes[after])
  }

  #wholeLine(bytes: Uint8Array, start: number, end: number): void {
    const error = parseMonitorLine(bytes, start, end, this.#line)
    this.counters.received += 1
    if (error === null) {
      this.counters.parsed += 1
      this.#lost = false
    } else {
      this.counters.malformed += 1
      // What does not end in a closing quote may go on after this LF, and what follows then is not a reply.
      this.#lost = error === LineErrorKind.unterminatedQuote || bytes[end - 1] !== QUOTE
    }
    this.#sink.line(bytes, start, end, this.#line, error)
  }

  #cutLine(bytes: Uint8Array, start: number, length: number): void {
    const end = start + Math.min(length, this.#max)
    const error = parseMonitorLine(bytes, start, end, this.#line)
    this.counters.received += 1
    this.counters.truncated += 1
    this.#lost = false
    this.#sink.line(bytes, start, wholeEnd(this.#line, error, end), this.#line, LineErrorKind.cut)
  }

  #malformedLine(bytes: Uint8Array, start: number, length: number): void {
    this.counters.received += 1
    this.#line.reset(bytes)
    if (length > this.#max) {
      this.counters.truncated += 1
      this.#sink.line(bytes, start, start + this.#max, this.#line, LineErrorKind.cut)
      return
    }
    this.counters.malformed += 1
    const kind = length === 0 ? LineErrorKind.empty : LineErrorKind.noHeader
    this.#sink.line(bytes, start, start + length, this.#line, kind)
  }
}
