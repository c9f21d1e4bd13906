import { CR, LF, isDigit } from './ascii.ts'
import { latin1Decode } from './latin1.ts'

/** What a server may answer between the lines. `scalar` is any of RESP3's, and an integer. */
export const ReplyKind = {
  simple: 'simple',
  error: 'error',
  bulk: 'bulk',
  scalar: 'scalar',
  aggregate: 'aggregate',
  push: 'push',
} as const
export type ReplyKind = (typeof ReplyKind)[keyof typeof ReplyKind]

/** Kept of a reply's text, in bytes; fences and errors are far shorter. */
const MAX_TEXT = 4096
/** The most that a server takes as one string (`proto-max-bulk-len`). */
const MAX_BULK = 512 * 2 ** 20
/** An aggregate of more elements is no answer to anything that is sent on a monitor connection. */
const MAX_ELEMENTS = 2 ** 20

const SCALARS: Record<string, RegExp> = {
  ':': /^[+-]?\d{1,20}$/,
  ',': /^[+-]?(\d+(\.\d+)?(e[+-]?\d+)?|inf|nan)$/i,
  '#': /^[tf]$/,
  _: /^$/,
  '(': /^[+-]?\d+$/,
}
/** Elements for each one counted; an attribute is followed by the reply that it belongs to. */
const AGGREGATES: Record<string, number> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 }

/**
 * Reads RESP replies whole, over any number of reads, keeping no more than the first 4096 bytes of text. `onReply` is
 * called once for each outermost reply: with the text of a simple string, error, scalar or bulk string as Latin-1, and an
 * empty text for null and for aggregates.
 */
export class ReplyReader {
  /** Bytes still to come of a bulk body and its CRLF. */
  bodyLeft = 0
  /** Replies that were begun and not ended: elements still to come. */
  #outstanding = 0
  #kind: ReplyKind = 'simple'
  #text = ''
  #collects = false
  readonly #tail = [0, 0]
  readonly #onReply: (kind: ReplyKind, text: string) => void

  constructor(onReply: (kind: ReplyKind, text: string) => void) {
    this.#onReply = onReply
  }

  /** Whether the next bytes belong to a reply that has begun. */
  get isOpen(): boolean {
    return this.#outstanding > 0
  }

  /** Takes a line, without CRLF, that begins a reply or an element of one; false when it does neither. */
  header(bytes: Uint8Array, start: number, end: number): boolean {
    const isOuter = this.#outstanding === 0
    if (isOuter) this.#outstanding = 1
    if (start < end && this.#begin(isOuter, latin1Decode(bytes, start, Math.min(end, start + 1 + MAX_TEXT)))) {
      if (this.bodyLeft === 0) this.#settle()
      return true
    }
    this.abandon()
    return false
  }

  /** Takes the next `bodyLeft` bytes, or as many as there are; false when a body does not end in CRLF where it should. */
  body(bytes: Uint8Array, start: number): boolean {
    const end = Math.min(bytes.length, start + this.bodyLeft)
    if (this.#collects) {
      const room = Math.min(MAX_TEXT - this.#text.length, this.bodyLeft - 2, end - start)
      if (room > 0) this.#text += latin1Decode(bytes, start, start + room)
    }
    for (let pos = Math.max(start, end - 2); pos < end; pos += 1) {
      this.#tail[0] = this.#tail[1]!
      this.#tail[1] = bytes[pos]!
    }
    this.bodyLeft -= end - start
    if (this.bodyLeft > 0) return true
    if (this.#tail[0] !== CR || this.#tail[1] !== LF) {
      this.abandon()
      return false
    }
    this.#settle()
    return true
  }

  abandon(): void {
    this.#outstanding = 0
    this.bodyLeft = 0
    this.#collects = false
    this.#text = ''
  }

  #settle(): void {
    if (this.#outstanding > 0) return
    const text = this.#text
    this.abandon()
    this.#onReply(this.#kind, text)
  }

  /** Notes what the header of one reply says; `kind` and text are those of the outermost. */
  #begin(isOuter: boolean, header: string): boolean {
    const type = header[0]!
    const rest = header.slice(1)
    this.#outstanding -= 1
    this.#collects = false
    const text = isOuter ? rest : this.#text
    const note = (kind: ReplyKind, noted: string): true => {
      if (isOuter) this.#kind = kind
      this.#text = noted
      return true
    }
    if (type === '+') return note('simple', text)
    if (type === '-') return note('error', text)
    if (SCALARS[type]?.test(rest)) return note('scalar', text)
    const count = parseCount(rest)
    if (count === null) return false
    if (type === '$' || type === '=' || type === '!') {
      if (count > MAX_BULK) return false
      if (count >= 0) this.bodyLeft = count + 2
      this.#collects = isOuter && count >= 0
      return note(type === '!' ? 'error' : 'bulk', isOuter ? '' : this.#text)
    }
    const factor = AGGREGATES[type]
    if (factor === undefined || count > MAX_ELEMENTS) return false
    this.#outstanding += Math.max(count, 0) * factor + (type === '|' ? 1 : 0)
    return note(type === '>' ? 'push' : 'aggregate', isOuter ? '' : this.#text)
  }
}

/** A length: digits, or -1 for null. */
const parseCount = (text: string): number | null => {
  if (text === '-1') return -1
  if (text.length === 0 || text.length > 10) return null
  for (let index = 0; index < text.length; index += 1) if (!isDigit(text.charCodeAt(index))) return null
  return Number(text)
}
