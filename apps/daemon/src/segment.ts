import { Dialect } from '@sonde/capture-format'
import {
  seqRangesOf,
  seqsIn,
  type Clock,
  type CommittedSegment,
  type NodeCommandBody,
  type SegmentManifest,
  type SegmentsReportInput,
  type SeqRange,
  type Slice,
  type TerminationReason,
  type TimerHandle,
} from '@sonde/contracts'
import { SpoolError, type Uploader } from '@sonde/daemon-sdk'
import type { CutChunk } from './chunk-buffer.ts'
import { CutChunks } from './cut-chunks.ts'
import { EncodeQueue } from './encode-queue.ts'
import { encodeSegmentChunk } from './encode-segment-chunk.ts'
import { compileRedaction, proofOf, rulesOf } from './line-redaction.ts'
import { compileSelection } from './line-selection.ts'
import type { RedactionKey } from './redaction-key.ts'
import { SegmentWriter, type SegmentEnd } from './segment-writer.ts'
import { SegmentGaps } from './segment-gaps.ts'
import type { SegmentNote, SegmentPast } from './segment-past.ts'
import type { SourceEnd, SourceLine } from './source/source.ts'
import type { Consumer, TargetReader } from './target-reader.ts'

export type OpenCommand = Extract<NodeCommandBody, { kind: 'segment.open' }>
export type SegmentProgress = SegmentsReportInput['segments'][number]

/** Where chunks go: kept until the control plane has committed or refused each. */
export type Shipper = Pick<Uploader, 'enqueue' | 'settled' | 'flushed' | 'resend' | 'discard'>

export interface SegmentTarget {
  reader: TargetReader
  /** The target's clock, in microseconds. */
  nowUs(): Promise<number>
}

export interface SegmentOptions {
  command: OpenCommand
  shipper: Shipper
  /** What masked arguments are hashed with. */
  redactionKey: RedactionKey
  /** Writes down what a daemon that is started after this one must know. */
  note: (note: SegmentNote) => Promise<void>
  /** What an earlier process did of it. */
  past?: SegmentPast
  /** The progress is worth a report at once. */
  changed: () => void
  clock: Clock
}

const OUTCOME_OF_END = {
  source_ended: 'completed',
  impact_limit: 'truncated',
  source_closed: 'failed',
  source_error: 'failed',
} as const satisfies Record<SourceEnd['reason'], SegmentEnd['outcome']>

/** Lines that wait to be written to the spool, in bytes of memory; more than this ends the segment. */
const MAX_WAITING_BYTES = 16 * 2 ** 20
/** How often counts that no chunk tells are written down, in milliseconds. */
const COUNTED_MS = 5_000
/** An opened segment whose begin does not come: many times the barrier, so that nothing is read for nobody for ever. */
const BEGIN_WAIT_MS = 60_000

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** One target's part of a capture: ties the target's reader, a writer and the shipping of its chunks. */
export class Segment implements Consumer {
  readonly captureId: string
  readonly segmentNo: number
  readonly targetId: string
  readonly #options: SegmentOptions
  readonly #writer: SegmentWriter
  readonly #gaps: SegmentGaps
  readonly #toEncode: EncodeQueue
  readonly #chunks: CutChunks
  readonly #stored = Promise.withResolvers<SegmentManifest | null>()
  #target: SegmentTarget | undefined
  #dialect: Dialect = Dialect.bracket
  #isDiscarded = false
  #beginTimer: TimerHandle | undefined
  #countedMs = 0
  #noted: Promise<void> = Promise.resolve()
  #notedGaps = ''

  constructor(options: SegmentOptions) {
    const { command, clock, past } = options
    this.captureId = command.captureId
    this.segmentNo = command.segmentNo
    this.targetId = command.targetId
    this.#options = options
    this.#chunks = new CutChunks(past?.chunks)
    this.#gaps = new SegmentGaps(clock, past?.gaps)
    this.#toEncode = new EncodeQueue({
      encode: (chunk) => this.#encode(chunk),
      onFailed: (error) => this.terminate('failed', 'writer_failed', wordsOf(error)),
      onIdle: () => {
        if (this.end !== undefined) options.changed()
        this.#checkStored()
      },
    })
    const select = compileSelection(command)
    this.#writer = new SegmentWriter({
      chunk: command.chunk,
      slice: command.slice,
      durationMs: command.durationMs,
      clock,
      events: {
        chunk: (chunk) => this.#onChunk(chunk),
        halfUsed: () => options.changed(),
        ended: () => this.#onEnded(),
      },
      ...(select && { select }),
      redact: compileRedaction(command, options.redactionKey),
      ...(past && { past }),
    })
    this.#writer.skipTo(this.#chunks.nextSeq)
  }

  /** Takes up what an earlier process did: its losses are gaps, its end is an end. Reading goes on with {@link open}. */
  restore(): void {
    const { past, clock } = this.#options
    if (!past) return
    this.#gaps.after(past.chunks.at(-1)?.lastEventUs)
    for (const chunk of past.lost) this.#gaps.lose('daemon_restarted', chunk)
    if (past.end) this.terminate(past.end.outcome, past.end.reason, past.end.detail)
    else if (past.begunAtMs !== undefined) {
      this.#gaps.open('daemon_restarted', Math.max(0, clock.now() - past.lastWriteMs))
    }
    this.#noteGaps()
  }

  /** Frees what the control plane has already, and numbers no chunk as one that it has. */
  async settle({ contiguous, last, holes }: Pick<CommittedSegment, 'contiguous' | 'last' | 'holes'>): Promise<void> {
    const { captureId, segmentNo } = this
    this.#writer.skipTo(last + 1)
    const isHole = (seq: number): boolean => holes.some(({ fromSeq, toSeq }) => seq >= fromSeq && seq <= toSeq)
    for (const seq of this.#chunks.seqs()) {
      if (seq > last || (seq > contiguous && isHole(seq))) continue
      await this.#options.shipper.settled({ captureId, segmentNo, seq })
    }
  }

  /** Undefined where the rules of the command are not known here. */
  get policyProof(): ReturnType<typeof proofOf> | undefined {
    const { command, redactionKey } = this.#options
    const rules = rulesOf(command)
    return rules && proofOf(rules, redactionKey)
  }

  get end(): SegmentEnd | undefined {
    return this.#writer.end
  }

  /** Resolves when reading has ended and every chunk is acknowledged: with the manifest, or null when it was discarded. */
  get stored(): Promise<SegmentManifest | null> {
    return this.#stored.promise
  }

  /** Opens the target; records nothing before the begin, unless that was before this process. Throws `OpenRefused`. */
  async open(target: SegmentTarget): Promise<Dialect> {
    const { command, clock, past } = this.#options
    if (!past) await this.#options.note({ kind: 'command', command })
    this.#dialect = await target.reader.attach(this, { maxLineBytes: command.chunk.maxLineBytes })
    this.#target = target
    if (this.end !== undefined) target.reader.detach(this)
    else if (past?.begunAtMs !== undefined) this.#goOn(past.begunAtMs + command.durationMs - clock.now())
    else if (!this.#writer.isBegun) {
      this.#beginTimer = clock.setTimeout(
        () => this.terminate('failed', 'monitor_open_failed', `no begin came within ${BEGIN_WAIT_MS} ms`),
        BEGIN_WAIT_MS,
      )
    }
    return this.#dialect
  }

  /** Records from now on, by the target's clock; a target that does not tell its time: from the next line on. */
  async begin(): Promise<void> {
    const { past, clock } = this.#options
    if (past?.begunAtMs !== undefined || this.#writer.isBegun) return
    const beginUs = (await this.#target?.nowUs().catch(() => 0)) ?? 0
    clock.clearTimeout(this.#beginTimer)
    this.#writer.begin(beginUs)
    await this.#note({ kind: 'begun', atMs: clock.now() })
  }

  async grant(slice: Slice): Promise<void> {
    const { captureId, segmentNo } = this
    this.#writer.grant(slice)
    await this.#note({ kind: 'command', command: { kind: 'segment.grant', captureId, segmentNo, slice } })
  }

  /** Ends the segment once every line that was executed before the call is read. */
  async stop(reason: TerminationReason): Promise<void> {
    // Without an answer in a second what was read by then has to do.
    if (this.end === undefined && this.#writer.isBegun) await this.#target?.reader.fence().catch(() => undefined)
    this.terminate('completed', reason)
    await this.#noted
  }

  terminate(outcome: SegmentEnd['outcome'], reason: TerminationReason, detail: string | null = null): void {
    this.#writer.terminate(outcome, reason, detail?.slice(0, 1024) ?? null)
  }

  /** Ends the segment and drops what has not been sent. */
  async discard(why: string): Promise<void> {
    this.#isDiscarded = true
    this.terminate('failed', 'writer_failed', why)
    this.#toEncode.clear()
    this.#stored.resolve(null)
    await this.#options.shipper.discard(this.captureId, this.segmentNo)
  }

  /**
   * Sends chunks again, or of those whose hashes in the store are given the ones that differ; resolves when they are committed, with
   * the ranges that are not held any more.
   */
  async resend(ranges: readonly SeqRange[], stored?: readonly string[]): Promise<SeqRange[]> {
    const { captureId, segmentNo } = this
    const { shipper } = this.#options
    const differs = (seq: number, at: number) => this.#chunks.get(seq)?.sha256 !== stored?.[at]
    const notHeld = await shipper.resend({ captureId, segmentNo }, seqsIn(ranges).filter(differs))
    await shipper.flushed(captureId, segmentNo)
    return seqRangesOf(notHeld)
  }

  /** The control plane will never take that chunk; the manifest names it all the same, so the hole shows. */
  refused(seq: number, code: string): void {
    this.terminate('failed', 'writer_failed', `the control plane refused chunk ${seq}: ${code}`)
  }

  progress(): SegmentProgress {
    const { captureId, segmentNo } = this
    const { sliceNo, halfUsed, counters, lagMs } = this.#writer
    // An end is told when it is known what could be kept.
    const end = this.#toEncode.isBusy ? undefined : this.end
    this.#noteCounts()
    return {
      captureId,
      segmentNo,
      sliceNo,
      halfUsed,
      counters: { ...counters },
      lagMs,
      ...(this.#target && { cost: this.#target.reader.cost }),
      gaps: this.#gaps.list,
      ...(end !== undefined && { end: { ...end } }),
    }
  }

  line(line: SourceLine): void {
    // A target that is opened again sends lines before recording goes on: until then the gap is not over.
    if (this.#writer.isBegun) this.#gaps.line(line.parsed.eventUs)
    this.#writer.line(line)
  }

  interrupted(): void {
    if (!this.#writer.isBegun) return
    if (this.#gaps.isFull) this.terminate('failed', 'source_closed', 'the connection broke too often')
    else this.#gaps.open('connection_lost')
  }

  ended({ reason, detail }: SourceEnd): void {
    this.terminate(OUTCOME_OF_END[reason], reason, detail)
  }

  /** A chunk cannot be had from the spool any more. */
  damaged(seq: number): void {
    const chunk = this.#chunks.get(seq)
    if (chunk) this.#gaps.lose('overrun', chunk)
    this.#noteGaps()
  }

  /** Records what is left of the time that another process began. */
  #goOn(leftMs: number): void {
    if (leftMs <= 0) this.terminate('completed', 'duration_cap')
    else this.#writer.begin(0, Math.min(leftMs, this.#options.command.durationMs))
  }

  #onChunk(chunk: CutChunk): void {
    if (this.#isDiscarded) return
    this.#toEncode.push(chunk)
    const { bytes } = this.#toEncode
    if (bytes > MAX_WAITING_BYTES) {
      this.terminate('truncated', 'overrun', `${bytes} bytes waited to be written, ${MAX_WAITING_BYTES} are allowed`)
    }
    this.#toEncode.start()
  }

  async #encode(chunk: CutChunk): Promise<void> {
    const { captureId, segmentNo } = this
    const { command, shipper } = this.#options
    const { policyRevision } = command
    const { facts, bytes } = await encodeSegmentChunk(chunk, {
      captureId,
      segmentNo,
      policyRevision,
      dialect: this.#dialect,
    })
    this.#chunks.add(facts)
    if (this.#isDiscarded) return
    try {
      await shipper.enqueue({ captureId, segmentNo, seq: facts.seq, bytes })
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      this.#gaps.lose('overrun', facts)
      this.terminate('truncated', 'overrun', error.message)
      this.#noteGaps()
    }
  }

  #onEnded(): void {
    const { clock, changed } = this.#options
    const { end } = this
    this.#gaps.end(end?.outcome === 'failed')
    clock.clearTimeout(this.#beginTimer)
    this.#target?.reader.detach(this)
    this.#noteGaps()
    if (end) void this.#note({ kind: 'counted', counters: this.#writer.counters })
    if (end) this.#noted = this.#note({ kind: 'ended', end })
    if (this.#toEncode.isBusy) return
    changed()
    this.#checkStored()
  }

  #checkStored(): void {
    if (this.end === undefined || this.#toEncode.isBusy || this.#isDiscarded) return
    const { captureId, segmentNo } = this
    void this.#options.shipper.flushed(captureId, segmentNo).then(() => this.#stored.resolve(this.#chunks.manifest()))
  }

  #noteCounts(): void {
    const { clock } = this.#options
    if (this.end !== undefined || clock.monotonicMs() - this.#countedMs < COUNTED_MS) return
    this.#countedMs = clock.monotonicMs()
    this.#noteGaps()
    void this.#note({ kind: 'counted', counters: this.#writer.counters })
  }

  #noteGaps(): void {
    const gaps = this.#gaps.list
    const text = JSON.stringify(gaps)
    if (gaps.length > 0 && text !== this.#notedGaps) void this.#note({ kind: 'gaps', gaps })
    this.#notedGaps = text
  }

  /** One that could not be written is written with the next one. */
  async #note(note: SegmentNote): Promise<void> {
    if (!this.#isDiscarded) await this.#options.note(structuredClone(note)).catch(() => undefined)
  }
}
