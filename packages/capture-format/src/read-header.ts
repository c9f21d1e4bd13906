import * as ascii from './ascii.ts'
import { BAD_TIME, NO_ARGUMENTS, NO_CLOSING_BRACKET, NO_HEADER, UNQUOTED } from './line-failure.ts'
import type { MonitorLine } from './monitor-line.ts'

/**
 * The latest event time, in microseconds: the last of the year 2254. Numbers are exact up to June 2255, and what is counted on
 * from a time, as in a cursor, must still be.
 */
export const LATEST_EVENT_US = Date.UTC(2255, 0) * 1000 - 1

/** Offset after a `[ proxyN ] ` prefix, or `start` where there is none. */
export const afterProxyPrefix = (bytes: Uint8Array, start: number, end: number): number => {
  if (end - start < 3 || bytes[start] !== ascii.BRACKET_OPEN || bytes[start + 1] !== ascii.SPACE) return start
  for (let pos = start + 2; pos + 1 < end; pos += 1) {
    if (bytes[pos] === ascii.BRACKET_CLOSE && bytes[pos + 1] === ascii.SPACE) return pos + 2
  }
  return start
}

/** Reads the time into `line`. Answers the offset after it, or a failure. */
export const readTime = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  let pos = start
  let seconds = 0
  while (pos < end && ascii.isDigit(bytes[pos])) {
    seconds = seconds * 10 + bytes[pos]! - 48
    pos += 1
  }
  if (pos === start) return NO_HEADER
  if (pos === end || bytes[pos] !== ascii.DOT) return BAD_TIME
  pos += 1
  const fractionStart = pos
  let micros = 0
  while (pos < end && ascii.isDigit(bytes[pos])) {
    if (pos - fractionStart < 6) micros = micros * 10 + bytes[pos]! - 48
    pos += 1
  }
  const digits = pos - fractionStart
  if (digits === 0) return BAD_TIME
  // 2.0 prints the microseconds as a number without leading zeros: there `.45` is 45 us, elsewhere 450,000 us.
  if (digits < 6 && line.dialect === 'bracket') micros *= 10 ** (6 - digits)
  const eventUs = seconds * 1e6 + micros
  if (eventUs > LATEST_EVENT_US) return BAD_TIME
  line.eventUs = eventUs
  line.tsStart = start
  line.tsEnd = pos
  return pos
}

const startsUnix = (bytes: Uint8Array, pos: number): boolean =>
  bytes[pos] === 0x75 &&
  bytes[pos + 1] === 0x6e &&
  bytes[pos + 2] === 0x69 &&
  bytes[pos + 3] === 0x78 &&
  bytes[pos + 4] === ascii.COLON

/** Reads `[db source] "`. Answers the offset of that quote, or a failure. */
export const readBracket = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  let pos = start
  if (pos < end && bytes[pos] === ascii.SPACE) pos += 1
  if (pos >= end || bytes[pos] !== ascii.BRACKET_OPEN) return NO_HEADER
  const dbStart = pos + 1
  for (pos = dbStart; pos < end && bytes[pos] !== ascii.SPACE; pos += 1) {
    if (bytes[pos] === ascii.QUOTE) return NO_CLOSING_BRACKET
  }
  if (pos >= end) return NO_CLOSING_BRACKET
  if (pos === dbStart) return NO_HEADER
  line.dbStart = dbStart
  line.dbEnd = pos
  const srcStart = pos + 1
  const isPath = startsUnix(bytes, srcStart)
  let failure = NO_CLOSING_BRACKET
  for (pos = srcStart; pos < end; pos += 1) {
    const byte = bytes[pos]
    // Only a socket's path can hold a quote: anywhere else the bracket was never closed.
    if (byte === ascii.QUOTE && !isPath) return failure
    if (byte !== ascii.BRACKET_CLOSE) continue
    if (pos + 1 === end || (bytes[pos + 1] === ascii.SPACE && pos + 2 === end)) {
      return failure === NO_CLOSING_BRACKET ? NO_ARGUMENTS : failure
    }
    if (bytes[pos + 1] !== ascii.SPACE) continue
    if (bytes[pos + 2] === ascii.QUOTE) {
      line.srcStart = srcStart
      line.srcEnd = pos
      return pos + 2
    }
    failure = UNQUOTED
  }
  return failure
}

/** Reads ` (db N) "` or ` "`. Answers the offset of that quote, or a failure. */
export const readParen = (line: MonitorLine, start: number, end: number): number => {
  const bytes = line.bytes
  if (start >= end) return NO_ARGUMENTS
  if (bytes[start] !== ascii.SPACE) return NO_HEADER
  let pos = start + 1
  if (pos < end && bytes[pos] === ascii.PAREN_OPEN) {
    if (end - pos < 4 || bytes[pos + 1] !== 0x64 || bytes[pos + 2] !== 0x62 || bytes[pos + 3] !== ascii.SPACE) {
      return NO_HEADER
    }
    const dbStart = pos + 4
    for (pos = dbStart; pos < end && ascii.isDigit(bytes[pos]);) pos += 1
    if (pos === dbStart) return NO_HEADER
    if (pos >= end || bytes[pos] !== ascii.PAREN_CLOSE) return NO_CLOSING_BRACKET
    line.dbStart = dbStart
    line.dbEnd = pos
    pos += 1
    if (pos >= end) return NO_ARGUMENTS
    if (bytes[pos] !== ascii.SPACE) return UNQUOTED
    pos += 1
  }
  if (pos >= end) return NO_ARGUMENTS
  if (bytes[pos] === ascii.BRACKET_OPEN) return NO_HEADER
  return bytes[pos] === ascii.QUOTE ? pos : UNQUOTED
}
