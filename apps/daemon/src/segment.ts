import { encodeChunk, decodeChunkHeader, manifestRoot } from '@sonde/capture-format/chunk'
import { Dialect } from '@sonde/capture-format'
import type {
  Clock,
  NodeCommandBody,
  SegmentManifest,
  SegmentsReportInput,
  Slice,
  TerminationReason,
  TimerHandle,
} from '@sonde/contracts'
import type { Uploader } from '@sonde/daemon-sdk'
import type { CutChunk } from './chunk-buffer.ts'
import { SegmentWriter, type SegmentEnd } from './segment-writer.ts'
import type { SourceEnd, SourceLine, SourceSink } from './source/source.ts'
import type { TargetReader } from './target-reader.ts'

export type OpenCommand = Extract<NodeCommandBody, { kind: 'segment.open' }>
export type SegmentProgress = SegmentsReportInput['segments'][number]

/** Where chunks go: kept until the control plane has committed or refused each. */
export type Shipper = Pick<Uploader, 'enqueue' | 'pendingBytes' | 'flushed' | 'discard'>

export interface SegmentOptions {
  command: OpenCommand
  reader: TargetReader
  /** The target's clock, in microseconds. */
  nowUs: () => Promise<number>
  shipper: Shipper
  /** The progress is worth a report at once. */
  changed: () => void
  clock: Clock
}

/** Chunks that wait for their acknowledgement, in bytes of memory; more than this ends the segment. */
const MAX_WAITING_BYTES = 16 * 2 ** 20
/** An opened segment whose begin does not come: many times the barrier, so that nothing is read for nobody for ever. */
const BEGIN_WAIT_MS = 60_000

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** One target's part of a capture: ties the target's reader, a writer and the shipping of its chunks. */
export class Segment implements SourceSink {
  readonly captureId: string
  readonly segmentNo: number
  readonly targetId: string
  readonly #options: SegmentOptions
  readonly #writer: SegmentWriter
  readonly #toEncode: CutChunk[] = []
  readonly #chunks: { seq: number; sha256: Uint8Array }[] = []
  readonly #stored = Promise.withResolvers<SegmentManifest | null>()
  #dialect: Dialect = Dialect.bracket
  #lines = 0
  #bytes = 0
  /** Bytes of the chunks that are cut and not encoded yet. */
  #rawBytes = 0
  #isEncoding = false
  #isDiscarded = false
  #beginTimer: TimerHandle | undefined

  constructor(options: SegmentOptions) {
    const { command, clock } = options
    this.captureId = command.captureId
    this.segmentNo = command.segmentNo
    this.targetId = command.targetId
    this.#options = options
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
    })
  }

  get end(): SegmentEnd | undefined {
    return this.#writer.end
  }

  /** Resolves when reading has ended and every chunk is acknowledged: with the manifest, or null when it was discarded. */
  get stored(): Promise<SegmentManifest | null> {
    return this.#stored.promise
  }

  /** Opens the target; records nothing before the begin. Throws `OpenRefused`. */
  async open(): Promise<Dialect> {
    const { reader, command, clock } = this.#options
    this.#dialect = await reader.attach(this, { maxLineBytes: command.chunk.maxLineBytes })
    if (this.end !== undefined) reader.detach(this)
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
    const beginUs = await this.#options.nowUs().catch(() => 0)
    this.#options.clock.clearTimeout(this.#beginTimer)
    this.#writer.begin(beginUs)
  }

  grant(slice: Slice): void {
    this.#writer.grant(slice)
  }

  /** Ends the segment once every line that was executed before the call is read. */
  async stop(reason: TerminationReason): Promise<void> {
    if (this.end !== undefined) return
    // Without an answer in a second what was read by then has to do.
    if (this.#writer.isBegun) await this.#options.reader.fence().catch(() => undefined)
    this.terminate('completed', reason)
  }

  terminate(outcome: SegmentEnd['outcome'], reason: TerminationReason, detail: string | null = null): void {
    this.#writer.terminate(outcome, reason, detail?.slice(0, 1024) ?? null)
  }

  /** Ends the segment and drops what has not been sent. */
  async discard(why: string): Promise<void> {
    this.#isDiscarded = true
    this.terminate('failed', 'writer_failed', why)
    this.#toEncode.length = 0
    this.#stored.resolve(null)
    await this.#options.shipper.discard(this.captureId, this.segmentNo)
  }

  /** The control plane will never take that chunk; the manifest names it all the same, so the hole shows. */
  refused(seq: number, code: string): void {
    this.terminate('failed', 'writer_failed', `the control plane refused chunk ${seq}: ${code}`)
  }

  progress(): SegmentProgress {
    const { captureId, segmentNo, end } = this
    const { sliceNo, halfUsed, counters, lagMs } = this.#writer
    return {
      captureId,
      segmentNo,
      sliceNo,
      halfUsed,
      counters: { ...counters },
      lagMs,
      ...(end !== undefined && { end: { ...end } }),
    }
  }

  line(line: SourceLine): void {
    this.#writer.line(line)
  }

  ended({ reason, detail }: SourceEnd): void {
    this.terminate(reason === 'source_ended' ? 'completed' : 'failed', reason, detail)
  }

  #onChunk(chunk: CutChunk): void {
    if (this.#isDiscarded) return
    this.#toEncode.push(chunk)
    this.#rawBytes += chunk.lines.length
    const { captureId, segmentNo } = this
    const waiting = this.#rawBytes + this.#options.shipper.pendingBytes(captureId, segmentNo)
    if (waiting > MAX_WAITING_BYTES) {
      this.terminate('truncated', 'overrun', `${waiting} bytes waited to be stored, ${MAX_WAITING_BYTES} are allowed`)
    }
    if (!this.#isEncoding) void this.#encodeAll()
  }

  async #encodeAll(): Promise<void> {
    this.#isEncoding = true
    for (let chunk = this.#toEncode.shift(); chunk !== undefined; chunk = this.#toEncode.shift()) {
      try {
        await this.#encode(chunk)
      } catch (error) {
        this.terminate('failed', 'writer_failed', wordsOf(error))
      }
      this.#rawBytes -= chunk.lines.length
    }
    this.#isEncoding = false
    this.#checkStored()
  }

  async #encode(chunk: CutChunk): Promise<void> {
    const { captureId, segmentNo } = this
    const { command, shipper } = this.#options
    const { policyRevision } = command
    const bytes = await encodeChunk({ ...chunk, captureId, segmentNo, policyRevision, dialect: this.#dialect })
    this.#chunks.push({ seq: chunk.seq, sha256: decodeChunkHeader(bytes).sha256 })
    this.#lines += chunk.lineCount
    this.#bytes += chunk.lines.length
    if (!this.#isDiscarded) await shipper.enqueue({ captureId, segmentNo, seq: chunk.seq, bytes })
  }

  #onEnded(): void {
    const { clock, reader, changed } = this.#options
    clock.clearTimeout(this.#beginTimer)
    reader.detach(this)
    changed()
    this.#checkStored()
  }

  #checkStored(): void {
    if (this.end === undefined || this.#isEncoding || this.#isDiscarded) return
    const { captureId, segmentNo } = this
    void this.#options.shipper.flushed(captureId, segmentNo).then(() =>
      this.#stored.resolve({
        chunks: this.#chunks.length,
        lines: this.#lines,
        bytes: this.#bytes,
        root: manifestRoot(this.#chunks),
      }),
    )
  }
}
