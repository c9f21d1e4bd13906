import type { Dialect, LineErrorKind, MonitorLine } from '@sonde/capture-format'
import type { SegmentCost, TerminationReason } from '@sonde/contracts'

/** One line of a source. The object and all it holds are used again after the call: copy what must live longer. */
export interface SourceLine {
  /** The stored form: `bytes` from `start` to `end`, without LF. */
  bytes: Uint8Array
  start: number
  end: number
  parsed: MonitorLine
  error: LineErrorKind | null
  /** Made by this daemon itself: its fences and its control connection. */
  isOwn: boolean
}

/** Why a source gives no more lines, with the server's or system's own words. */
export interface SourceEnd {
  reason: Extract<TerminationReason, 'source_closed' | 'source_error' | 'source_ended' | 'impact_limit'>
  detail: string
}

export interface SourceSink {
  line(line: SourceLine): void
  /** Called once, after the last line, when the source ends by itself; never because of `close`. */
  ended(end: SourceEnd): void
}

/** A source could not be opened; the message is the server's or system's own words. */
export class OpenRefused extends Error {
  override readonly name = 'OpenRefused'
}

/** Where lines come from: a MONITOR connection, or the traffic source built in. Used for one opening. */
export interface Source {
  readonly dialect: Dialect
  /** What reading has cost the server so far. */
  readonly cost: SegmentCost
  /** Resolves when lines flow; the sink may have been given some by then. Throws {@link OpenRefused}. */
  open(sink: SourceSink): Promise<void>
  /** Resolves when every line that was executed before the call has been given to the sink, or rejects after a second. */
  fence(): Promise<void>
  /** Ends the lines at once and releases everything; idempotent. */
  close(): void
}

/** Nothing is known of the cost; that of a source without a server. */
export const NO_COST: SegmentCost = { maxLagMs: null, omemBytes: null, maxOmemBytes: null, addedLatencyUs: null }
