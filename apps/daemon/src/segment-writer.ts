import type { ChunkBounds, Clock, Counters, Outcome, Slice, TerminationReason, TimerHandle } from '@sonde/contracts'
import { ChunkBuffer, type CutChunk } from './chunk-buffer.ts'
import { HeldLines } from './held-lines.ts'
import type { RedactLine, StoredLine } from './line-redaction.ts'
import type { LineSelection } from './line-selection.ts'
import type { SourceLine } from './source/source.ts'

/** How reading ended; detail holds the server's or system's own words. */
export interface SegmentEnd {
  outcome: Outcome
  reason: TerminationReason
  detail: string | null
}

/** What a writer tells its segment; called in the course of `line`, a grant, a timer or `terminate`. */
interface WriterEvents {
  chunk(chunk: CutChunk): void
  /** Half of the newest slice is used: ask for the next one now. */
  halfUsed(): void
  /** Called once, after the last chunk. */
  ended(end: SegmentEnd): void
}

export interface SegmentWriterOptions {
  chunk: ChunkBounds
  slice: Slice
  durationMs: number
  clock: Clock
  events: WriterEvents
  /** Which lines are recorded. @default all */
  select?: LineSelection
  /** What is kept of a line that is recorded, before anything counts or holds it. */
  redact: RedactLine
  /** What an earlier process granted, after `slice`, and counted. */
  past?: { slices: readonly Slice[]; counters: Counters }
}

/** How long lines wait for a grant when a slice is used up. */
const GRANT_WAIT_MS = 2000

type CapReason = 'byte_cap' | 'line_cap'

/**
 * Cuts one segment from the lines of a target: the only place that counts. Does no I/O; time comes from the clock.
 * `received = recorded + filtered + sampledOut + ownTraffic + dropped` holds whenever it is read. What it records never
 * goes beyond the lines granted, and beyond the bytes granted by one line at most: the line that reaches a cap is kept.
 */
export class SegmentWriter {
  readonly counters: Counters = {
    received: 0,
    recorded: 0,
    filtered: 0,
    sampledOut: 0,
    ownTraffic: 0,
    malformed: 0,
    cut: 0,
    dropped: 0,
    recordedBytes: 0,
  }
  readonly #options: SegmentWriterOptions
  readonly #buffer: ChunkBuffer
  readonly #held = new HeldLines()
  #slice: Slice
  #grantedBytes: number
  #grantedLines: number
  /** The slice for which `halfUsed` was called. */
  #askedFor = -1
  /** The cap that stands in the way until a grant comes. */
  #waitsFor: CapReason | undefined
  #beginUs: number | undefined
  #hasFirstLine = false
  #end: SegmentEnd | undefined
  #lagMs: number | null = null
  #chunkTimer: TimerHandle | undefined
  #grantTimer: TimerHandle | undefined
  #durationTimer: TimerHandle | undefined

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    this.#buffer = new ChunkBuffer(options.chunk.bytes)
    this.#slice = options.slice
    this.#grantedBytes = options.slice.bytes
    this.#grantedLines = options.slice.lines
    if (!options.past) return
    for (const slice of options.past.slices) this.#addSlice(slice)
    Object.assign(this.counters, options.past.counters)
  }

  get end(): SegmentEnd | undefined {
    return this.#end
  }

  get isBegun(): boolean {
    return this.#beginUs !== undefined
  }

  /** Number of the newest slice held. */
  get sliceNo(): number {
    return this.#slice.sliceNo
  }

  /** Half of the newest slice is used, and a further one can come. */
  get halfUsed(): boolean {
    return this.#askedFor === this.#slice.sliceNo
  }

  /** Milliseconds from the execution of a line to its reading, clocks of both hosts compared; of each chunk's first line. */
  get lagMs(): number | null {
    return this.#lagMs
  }

  /**
   * Records from here on, for `durationMs`, which is what its options say unless it goes on with what another process began. Lines before the first one of `beginUs` (the target's clock) or later are not
   * of the segment; after it arrival decides, because event time may step back.
   */
  begin(beginUs: number, durationMs: number = this.#options.durationMs): void {
    if (this.#beginUs !== undefined || this.#end !== undefined) return
    const { clock } = this.#options
    this.#beginUs = beginUs
    this.#durationTimer = clock.setTimeout(() => this.terminate('completed', 'duration_cap'), durationMs)
    this.#checkCaps()
  }

  line(line: SourceLine): void {
    if (this.#beginUs === undefined || this.#end !== undefined) return
    if (!this.#hasFirstLine) {
      if (line.parsed.eventUs < this.#beginUs) return
      this.#hasFirstLine = true
    }
    const reason = line.isOwn ? 'ownTraffic' : (this.#options.select?.(line) ?? null)
    if (reason !== null) {
      this.counters.received += 1
      this.counters[reason] += 1
      return
    }
    const kept = this.#options.redact(line)
    if (this.#waitsFor === undefined) this.#record(kept)
    else if (!this.#held.add(kept)) {
      this.#endAtCap(this.#waitsFor, 'no further part of the budget was granted before 4 MiB of lines waited for it')
    }
  }

  /** Adds a slice; one that is not newer than the newest held is a repetition and changes nothing. */
  grant(slice: Slice): void {
    if (this.#end !== undefined || !this.#addSlice(slice)) return
    this.#waitsFor = undefined
    this.#options.clock.clearTimeout(this.#grantTimer)
    this.#checkCaps()
    while (this.#waitsFor === undefined && this.#end === undefined && this.#held.count > 0) {
      this.#record(this.#held.take())
    }
  }

  /** Numbers chunks from here; before the first line. */
  skipTo(seq: number): void {
    this.#buffer.skipTo(seq)
  }

  /** Ends the segment; the first call wins. Lines that wait for a grant are dropped, and counted so, unless a cap is the reason. */
  terminate(outcome: Outcome, reason: TerminationReason, detail: string | null = null): void {
    if (this.#end !== undefined) return
    this.#end = { outcome, reason, detail }
    const { clock, events } = this.#options
    for (const timer of [this.#durationTimer, this.#grantTimer]) clock.clearTimeout(timer)
    if (reason !== 'byte_cap' && reason !== 'line_cap') {
      this.counters.received += this.#held.count
      this.counters.dropped += this.#held.count
    }
    this.#held.clear()
    this.#cut()
    events.ended(this.#end)
  }

  #record(line: StoredLine): void {
    const { counters } = this
    const { chunk, clock } = this.#options
    const length = line.end - line.start + 1
    counters.received += 1
    counters.recorded += 1
    counters.recordedBytes += length
    if (line.error === 'cut') counters.cut += 1
    else if (line.error !== null) counters.malformed += 1
    if (this.#buffer.lineCount > 0 && this.#buffer.size + length > chunk.bytes) this.#cut()
    const { eventUs } = line.parsed
    this.#buffer.append(line, eventUs)
    if (this.#buffer.lineCount === 1) {
      this.#chunkTimer = clock.setTimeout(() => this.#cut(), chunk.ms)
      if (eventUs >= 0) this.#lagMs = Math.max(0, Math.round(clock.now() - eventUs / 1000))
    }
    this.#checkCaps()
    const isFull = this.#buffer.size >= chunk.bytes || this.#buffer.lineCount >= chunk.lines
    // A cut line is the last of its chunk: that is how a reader finds it.
    if (isFull || line.error === 'cut') this.#cut()
  }

  #addSlice(slice: Slice): boolean {
    if (slice.sliceNo <= this.#slice.sliceNo) return false
    this.#slice = slice
    this.#grantedBytes += slice.bytes
    this.#grantedLines += slice.lines
    return true
  }

  #checkCaps(): void {
    const { bytes, lines, lastBytes, lastLines, sliceNo } = this.#slice
    const bytesLeft = this.#grantedBytes - this.counters.recordedBytes
    const linesLeft = this.#grantedLines - this.counters.recorded
    if (bytesLeft <= 0 && lastBytes) return this.terminate('truncated', 'byte_cap')
    if (linesLeft <= 0 && lastLines) return this.terminate('truncated', 'line_cap')
    if (bytesLeft <= 0) this.#waitForGrant('byte_cap')
    else if (linesLeft <= 0) this.#waitForGrant('line_cap')
    if (this.#askedFor === sliceNo) return
    if ((!lastBytes && bytesLeft <= bytes / 2) || (!lastLines && linesLeft <= lines / 2)) {
      this.#askedFor = sliceNo
      this.#options.events.halfUsed()
    }
  }

  #waitForGrant(cap: CapReason): void {
    this.#waitsFor = cap
    this.#grantTimer = this.#options.clock.setTimeout(
      () => this.#endAtCap(cap, `no further part of the budget was granted within ${GRANT_WAIT_MS} ms`),
      GRANT_WAIT_MS,
    )
  }

  #endAtCap(cap: CapReason, detail: string): void {
    this.terminate('truncated', cap, detail)
  }

  #cut(): void {
    this.#options.clock.clearTimeout(this.#chunkTimer)
    if (this.#buffer.lineCount > 0) this.#options.events.chunk(this.#buffer.cut())
  }
}
