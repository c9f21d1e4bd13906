import { BACKSLASH, LETTER_X, SPACE } from './ascii.ts'
import { LineErrorKind, type MonitorLine } from './monitor-line.ts'

/** Where the argument begins, after its quote, that a line with the error `unterminated_quote` ends in. */
export const openArgumentStart = (line: MonitorLine): number => {
  if (line.argc === 0) return line.argsStart + 1
  // After a quoted one its quote, a space and the opening quote; a masked one has no quote.
  return line.ranges[2 * line.argc - 1]! + (line.isMasked(line.argc - 1) ? 2 : 3)
}

/**
 * End of the longest part of a cut line that ends after a whole argument or a whole escape. `line` holds the parse of
 * what is left of it, up to `end`, and `error` its result. A part that is broken before its end stays as it is.
 */
export const wholeEnd = (line: MonitorLine, error: LineErrorKind | null, end: number): number => {
  const { bytes, argc } = line
  const lastEnd = argc === 0 ? -1 : line.ranges[2 * argc - 1]!
  if (error === LineErrorKind.unquotedArgument && argc > 0 && lastEnd + 2 === end && bytes[end - 1] === SPACE) {
    return end - 1
  }
  if (error !== LineErrorKind.unterminatedQuote) return end
  const first = openArgumentStart(line)
  let pos = first
  for (;;) {
    const unit = bytes[pos] !== BACKSLASH ? 1 : pos + 1 < end && bytes[pos + 1] === LETTER_X ? 4 : 2
    if (pos + unit > end) break
    pos += unit
  }
  return pos === first && argc > 0 ? lastEnd + 1 : pos
}
