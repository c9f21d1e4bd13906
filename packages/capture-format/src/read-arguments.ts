import * as ascii from './ascii.ts'
import { BAD_ESCAPE, UNQUOTED, UNTERMINATED } from './line-failure.ts'
import type { MonitorLine } from './monitor-line.ts'

/** `~` and digits, then perhaps `:` and 16 hex digits: answers the offset after the token. */
const readMasked = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  let pos = start + 1
  while (pos < end && ascii.isDigit(bytes[pos])) pos += 1
  if (pos === start + 1) return UNQUOTED
  if (pos === end || bytes[pos] !== ascii.COLON) return pos
  const hashEnd = pos + 17
  if (hashEnd > end) return UNQUOTED
  for (pos += 1; pos < hashEnd; pos += 1) if (ascii.HEX_VALUES[bytes[pos]!] === 255) return UNQUOTED
  return pos
}

/** `"user:"~17:0123456789abcdef":profile"`: texts in quotes and marks, with nothing between them. Answers the end of the last. */
const readParts = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  let pos = start
  while (pos < end && bytes[pos] !== ascii.SPACE) {
    if (bytes[pos] === ascii.TILDE) {
      pos = readMasked(line, pos, end)
      if (pos < 0) return pos
      continue
    }
    if (bytes[pos] !== ascii.QUOTE) return UNQUOTED
    for (pos += 1; pos < end && bytes[pos] !== ascii.QUOTE;) {
      if (bytes[pos] !== ascii.BACKSLASH) pos += 1
      else {
        const size = escapeLength(bytes, pos, end)
        if (size < 0) return size
        pos += size
      }
    }
    if (pos >= end) return UNTERMINATED
    pos += 1
  }
  return pos
}

/** Length of the escape that begins at `pos`, or a failure. */
const escapeLength = (bytes: Uint8Array, pos: number, end: number): number => {
  if (pos + 1 >= end) return UNTERMINATED
  if (bytes[pos + 1] !== ascii.LETTER_X) return ascii.SHORT_ESCAPES[bytes[pos + 1]!] === 0 ? BAD_ESCAPE : 2
  if (pos + 2 < end && ascii.HEX_VALUES[bytes[pos + 2]!] === 255) return BAD_ESCAPE
  if (pos + 3 >= end) return UNTERMINATED
  return ascii.HEX_VALUES[bytes[pos + 3]!] === 255 ? BAD_ESCAPE : 4
}

/** Reads from the first opening quote to the end of the line. Answers that end, or a failure. */
export const readArguments = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  const short = ascii.SHORT_ESCAPES
  const hex = ascii.HEX_VALUES
  let ranges = line.ranges
  let count = 0
  let pos = start
  for (;;) {
    let first = pos
    let last: number
    if (bytes[pos] === ascii.QUOTE) {
      first += 1
      pos = first
      let byte = 0
      while (pos < end && (byte = bytes[pos]!) !== ascii.QUOTE) {
        if (byte !== ascii.BACKSLASH) {
          pos += 1
          continue
        }
        line.hasEscapes = true
        if (pos + 1 >= end) return UNTERMINATED
        const letter = bytes[pos + 1]!
        if (letter === ascii.LETTER_X) {
          line.isBinary = true
          if (pos + 2 < end && hex[bytes[pos + 2]!] === 255) return BAD_ESCAPE
          if (pos + 3 >= end) return UNTERMINATED
          if (hex[bytes[pos + 3]!] === 255) return BAD_ESCAPE
          pos += 4
        } else if (short[letter] === 0) return BAD_ESCAPE
        else pos += 2
      }
      if (pos >= end) return UNTERMINATED
      last = pos
      pos += 1
      if (bytes[pos] === ascii.TILDE && pos < end && line.masked && count > 0) {
        first -= 1
        last = readParts(line, first, end)
        if (last < 0) return last
        line.hasMasked = true
        pos = last
      }
    } else if (bytes[pos] === ascii.TILDE && line.masked && count > 0) {
      last = readParts(line, pos, end)
      if (last < 0) return last
      line.hasMasked = true
      pos = last
    } else return UNQUOTED
    if (2 * count === ranges.length) {
      const grown = new Int32Array(ranges.length * 2)
      grown.set(ranges)
      line.ranges = grown
      ranges = grown
    }
    ranges[2 * count] = first
    ranges[2 * count + 1] = last
    count += 1
    line.argc = count
    if (pos === end) return pos
    if (bytes[pos] !== ascii.SPACE || pos + 1 === end) return UNQUOTED
    pos += 1
  }
}
