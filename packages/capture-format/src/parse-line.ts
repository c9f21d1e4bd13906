import { PLUS } from './ascii.ts'
import { failureKind } from './line-failure.ts'
import { LineErrorKind, type MonitorLine } from './monitor-line.ts'
import { readArguments } from './read-arguments.ts'
import { afterProxyPrefix, readBracket, readParen, readTime } from './read-header.ts'

const readStart = (line: MonitorLine, start: number, end: number): number => {
  const { bytes } = line
  const first = bytes[start] === PLUS && start < end ? start + 1 : start
  return readTime(line, afterProxyPrefix(bytes, first, end), end)
}

/**
 * Parses one line, without its LF and CR, with or without the leading `+`, into `out`. Answers what is wrong with it, or
 * null. Allocates nothing, but for a longer `ranges` when a line has more arguments than any before.
 *
 * @example
 * const line = new MonitorLine()
 * if (parseMonitorLine(bytes, 0, bytes.length, line) === null) console.log(line.eventUs, decodeArguments(line))
 */
// oxlint-disable-next-line max-params -- called for each line, so no options object is made for it
export const parseMonitorLine = (
  bytes: Uint8Array,
  start: number,
  end: number,
  out: MonitorLine,
): LineErrorKind | null => {
  out.reset(bytes)
  if (start >= end) return LineErrorKind.empty
  let pos = readStart(out, start, end)
  if (pos < 0) return failureKind(pos)
  pos = out.dialect === 'bracket' ? readBracket(out, pos, end) : readParen(out, pos, end)
  if (pos < 0) return failureKind(pos)
  out.argsStart = pos
  return failureKind(readArguments(out, pos, end))
}

/** Reads no more than the time of a stored line: microseconds, or -1 where there is none. `out` holds nothing else. */
// oxlint-disable-next-line max-params -- called for each line, too
export const parseLineTime = (bytes: Uint8Array, start: number, end: number, out: MonitorLine): number => {
  out.reset(bytes)
  if (start < end) readStart(out, start, end)
  return out.eventUs
}
