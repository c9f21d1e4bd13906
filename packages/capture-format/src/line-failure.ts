import { LineErrorKind } from './monitor-line.ts'

/** Negative numbers that the readers of a line answer in place of an offset, so that the hot path makes no objects. */
export const NO_HEADER = -1
export const BAD_TIME = -2
export const NO_CLOSING_BRACKET = -3
export const UNQUOTED = -4
export const UNTERMINATED = -5
export const BAD_ESCAPE = -6
export const NO_ARGUMENTS = -7

const KINDS: readonly LineErrorKind[] = [
  LineErrorKind.noHeader,
  LineErrorKind.badTime,
  LineErrorKind.noClosingBracket,
  LineErrorKind.unquotedArgument,
  LineErrorKind.unterminatedQuote,
  LineErrorKind.badEscape,
  LineErrorKind.noArguments,
]

/** The error kind of a failure; null for an offset. */
export const failureKind = (offsetOrFailure: number): LineErrorKind | null =>
  offsetOrFailure >= 0 ? null : KINDS[-1 - offsetOrFailure]!
