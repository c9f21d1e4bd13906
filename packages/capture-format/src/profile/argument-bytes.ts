import * as ascii from '../ascii.ts'
import type { MonitorLine } from '../monitor-line.ts'

/** No server takes a longer argument, so a mark that says more is not true. */
const MOST_BYTES = 2 ** 32

/** Bytes of a text behind its escapes. */
const textBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let length = 0
  for (let pos = start; pos < end; length += 1) {
    if (bytes[pos] !== ascii.BACKSLASH) pos += 1
    else pos += bytes[pos + 1] === ascii.LETTER_X ? 4 : 2
  }
  return length
}

/** Of a masked argument its parts in quotes, and what its marks say. */
const maskedBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let length = 0
  for (let pos = start; pos < end;) {
    const first = pos + 1
    if (bytes[pos] === ascii.QUOTE) {
      pos = first
      while (pos < end && bytes[pos] !== ascii.QUOTE) pos += bytes[pos] === ascii.BACKSLASH ? 2 : 1
      length += textBytes(bytes, first, pos)
      pos += 1
      continue
    }
    let said = 0
    for (pos = first; pos < end && ascii.isDigit(bytes[pos]); pos += 1) said = said * 10 + bytes[pos]! - 48
    length += Math.min(said, MOST_BYTES)
    while (pos < end && bytes[pos] !== ascii.QUOTE && bytes[pos] !== ascii.TILDE) pos += 1
  }
  return length
}

/** Bytes of all arguments of a line as the client sent them, the verb among them. */
export const argumentBytes = (line: MonitorLine): number => {
  const { bytes, ranges, argc, hasEscapes } = line
  let sum = 0
  for (let index = 0; index < argc; index += 1) {
    const start = ranges[2 * index]!
    const end = ranges[2 * index + 1]!
    if (line.isMasked(index)) sum += maskedBytes(bytes, start, end)
    else sum += hasEscapes ? textBytes(bytes, start, end) : end - start
  }
  return sum
}
