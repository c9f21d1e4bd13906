import { HEX_VALUES, SHORT_ESCAPES } from '../ascii.ts'
import { latin1Decode } from '../latin1.ts'
import { FilterError } from './filter.ts'

/** What stands behind the colon of a term. */
export interface TermValue {
  /** Bytes read as Latin-1. */
  bytes: string
  isQuoted: boolean
  /** Where it begins and ends in the filter. */
  start: number
  end: number
}

const utf8 = new TextEncoder()
const bytesOf = (text: string): string => latin1Decode(utf8.encode(text))

const BARE = /[^\s()"]+/y

/** Reads a value that begins at `start`. Throws a {@link FilterError}. */
export const readValue = (text: string, start: number, name: string): TermValue => {
  if (text[start] === '"') return readQuoted(text, start)
  BARE.lastIndex = start
  const [bare] = BARE.exec(text) ?? []
  if (bare === undefined) {
    throw new FilterError(
      text,
      start,
      `expected a value right behind "${name}:", in quotes when it is empty or has spaces`,
    )
  }
  const end = start + bare.length
  if (text[end] === '"' || text[end] === '(') {
    throw new FilterError(text, end, `expected a space; a value that holds ${text[end]} must be in quotes`)
  }
  return { bytes: bytesOf(bare), isQuoted: false, start, end }
}

const readQuoted = (text: string, start: number): TermValue => {
  let bytes = ''
  let plain = start + 1
  for (let pos = plain; pos < text.length; pos += 1) {
    const character = text[pos]!
    if (character !== '"' && character !== '\\') continue
    bytes += bytesOf(text.slice(plain, pos))
    if (character === '"') {
      const next = text[pos + 1]
      if (next !== undefined && !/[\s)]/.test(next))
        throw new FilterError(text, pos + 1, 'expected a space behind the quote')
      return { bytes, isQuoted: true, start, end: pos + 1 }
    }
    const escaped = readEscape(text, pos)
    bytes += escaped.byte
    pos += escaped.length - 1
    plain = pos + 1
  }
  throw new FilterError(text, start, 'this quote is not closed')
}

/** The escapes are those that the server prints. */
const readEscape = (text: string, start: number): { byte: string; length: number } => {
  const code = text.charCodeAt(start + 1)
  const short = SHORT_ESCAPES[code] ?? 0
  if (short !== 0) return { byte: String.fromCharCode(short), length: 2 }
  if (text[start + 1] === 'x') {
    const hex = text.slice(start + 2, start + 4).toLowerCase()
    const [high = 255, low = 255] = [HEX_VALUES[hex.charCodeAt(0)], HEX_VALUES[hex.charCodeAt(1)]]
    if ((high | low) !== 255) return { byte: String.fromCharCode((high << 4) | low), length: 4 }
  }
  const problem = 'expected one of \\\\ \\" \\n \\r \\t \\a \\b \\xHH; in quotes a backslash is written as two'
  throw new FilterError(text, start, problem)
}
