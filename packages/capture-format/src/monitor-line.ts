import * as ascii from './ascii.ts'
import { latin1Decode } from './latin1.ts'

/** `bracket`: `[db source]` after the time (2.6 and newer, forks, clouds). `paren`: `(db N) ` or nothing (2.0 to 2.4). */
export const Dialect = { bracket: 'bracket', paren: 'paren' } as const
export type Dialect = (typeof Dialect)[keyof typeof Dialect]

/** Why a line is not a whole MONITOR line. `cut` comes from the scanner only: the line is longer than its limit. */
export const LineErrorKind = {
  empty: 'empty',
  noHeader: 'no_header',
  badTime: 'bad_time',
  noClosingBracket: 'no_closing_bracket',
  unquotedArgument: 'unquoted_argument',
  unterminatedQuote: 'unterminated_quote',
  badEscape: 'bad_escape',
  noArguments: 'no_arguments',
  cut: 'cut',
} as const
export type LineErrorKind = (typeof LineErrorKind)[keyof typeof LineErrorKind]

export interface MonitorLineOptions {
  /** @default bracket */
  dialect?: Dialect
  /** Whether masked arguments (`~12:0123456789abcdef`, `"user:"~4:0123456789abcdef`) are accepted: in stored lines only. @default true */
  masked?: boolean
}

/**
 * The parts of one line as offsets into `bytes`, filled in place by {@link parseMonitorLine}. After an error the parts
 * that were read before it stand; the others are empty, and `eventUs` is -1 when there is no time.
 */
export class MonitorLine {
  readonly dialect: Dialect
  readonly masked: boolean
  /** What was parsed last. It may be a read buffer that is used again: take copies of what must live longer. */
  bytes: Uint8Array = new Uint8Array(0)
  /** Microseconds since 1970, a safe integer. */
  eventUs = -1
  tsStart = 0
  tsEnd = 0
  /** -1 where the dialect leaves the db out, which means 0. */
  dbStart = -1
  dbEnd = -1
  /** -1 where the dialect names no source. */
  srcStart = -1
  srcEnd = -1
  /** Offset of the first argument's opening quote. */
  argsStart = -1
  argc = 0
  /** Start and end of each argument in turn, between its quotes; of a masked argument the whole token. */
  ranges: Int32Array = new Int32Array(32)
  hasEscapes = false
  /** Some argument has a `\x` escape. */
  isBinary = false
  hasMasked = false

  constructor(options: MonitorLineOptions = {}) {
    this.dialect = options.dialect ?? 'bracket'
    this.masked = options.masked ?? true
  }

  /** The db as printed: a number, or a namespace's name. */
  get db(): string {
    return this.dbStart < 0 ? '0' : latin1Decode(this.bytes, this.dbStart, this.dbEnd)
  }

  /** The client's address, `lua`, `unix:` and a path, or an empty text; null where the dialect names no source. */
  get source(): string | null {
    return this.srcStart < 0 ? null : latin1Decode(this.bytes, this.srcStart, this.srcEnd)
  }

  reset(bytes: Uint8Array): void {
    this.bytes = bytes
    this.eventUs = -1
    this.tsStart = 0
    this.tsEnd = 0
    this.dbStart = -1
    this.dbEnd = -1
    this.srcStart = -1
    this.srcEnd = -1
    this.argsStart = -1
    this.argc = 0
    this.hasEscapes = false
    this.isBinary = false
    this.hasMasked = false
  }

  isMasked(index: number): boolean {
    return this.hasMasked && this.bytes[this.ranges[2 * index]! - 1] === ascii.SPACE
  }
}
