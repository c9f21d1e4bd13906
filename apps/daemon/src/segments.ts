import {
  CAPTURE_LIMITS,
  type Clock,
  type CommandResult,
  type NodeCommandBody,
  type SegmentManifest,
} from '@sonde/contracts'
import { OWN_CEILINGS } from './config.ts'
import { Progress } from './progress.ts'
import { Segment, type OpenCommand, type SegmentProgress, type Shipper } from './segment.ts'
import type { ReadableTarget } from './targets.ts'

export interface SegmentRef {
  captureId: string
  segmentNo: number
}

export interface SegmentsOptions {
  find: (targetId: string) => Promise<ReadableTarget | undefined>
  shipper: Shipper
  report: (segments: SegmentProgress[]) => Promise<void>
  /** Tries until the control plane has answered. */
  sendManifest: (segment: SegmentRef, manifest: SegmentManifest) => Promise<void>
  /** A source ended by itself: the targets have changed. */
  sourceEnded: () => void
  clock: Clock
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

type Refused = Extract<CommandResult, { kind: 'refused' }>

const refused = (code: string, detail: string): Refused => ({ kind: 'refused', code, detail: detail.slice(0, 1024) })
const keyOf = ({ captureId, segmentNo }: SegmentRef): string => `${captureId}/${segmentNo}`

/** What this host does not do whatever the control plane asks; null where all is within its bounds. */
const refusalOf = ({ durationMs, chunk, slice, policyRevision }: OpenCommand): Refused | null => {
  const bounds: readonly (readonly [name: string, value: number, min: number, max: number])[] = [
    ['durationMs', durationMs, CAPTURE_LIMITS.durationMs.min, OWN_CEILINGS.durationMs],
    ['slice.bytes', slice.bytes, 0, OWN_CEILINGS.bytes],
    ['slice.lines', slice.lines, 0, OWN_CEILINGS.lines],
    ['chunk.bytes', chunk.bytes, 1024, OWN_CEILINGS.chunkBytes],
    ['chunk.maxLineBytes', chunk.maxLineBytes, 1024, OWN_CEILINGS.lineBytes],
    ['chunk.ms', chunk.ms, 10, 60_000],
    ['chunk.lines', chunk.lines, 1, 1_000_000],
  ]
  for (const [name, value, min, max] of bounds) {
    if (!(Number.isInteger(value) && value >= min && value <= max)) {
      return refused(
        'monitor_open_failed',
        `${name} ${value} is not within ${min} to ${max}, the bounds of this daemon`,
      )
    }
  }
  if (policyRevision === 0) return null
  return refused('monitor_open_failed', `this daemon has no redaction policy of revision ${policyRevision}`)
}

interface Held {
  segment: Segment
  opened: Promise<CommandResult>
  /** Told, stored, and its manifest answered. */
  finished?: Promise<void>
}

/** The segments of this node: does what commands say, each at most once however often it is said. */
export class Segments implements Disposable {
  readonly #options: SegmentsOptions
  readonly #progress: Progress
  readonly #segments = new Map<string, Held>()

  constructor(options: SegmentsOptions) {
    this.#options = options
    this.#progress = new Progress(options)
  }

  get count(): number {
    return this.#segments.size
  }

  async run(command: NodeCommandBody): Promise<CommandResult> {
    const known = this.#segments.get(keyOf(command))
    if (command.kind === 'segment.open') return known?.opened ?? this.#open(command)
    // A discard of nothing is done; anything else about nothing was meant for a process that is gone.
    if (known === undefined) {
      if (command.kind === 'segment.discard') return { kind: 'acknowledged' }
      return refused('segment_unknown', 'this daemon holds no such segment; it may have been started anew')
    }
    const { segment } = known
    switch (command.kind) {
      case 'segment.begin': {
        await segment.begin()
        return { kind: 'running' }
      }
      case 'segment.grant':
        segment.grant(command.slice)
        return { kind: 'acknowledged' }
      case 'segment.stop': {
        await segment.stop(command.reason)
        return { kind: 'acknowledged' }
      }
      case 'segment.discard': {
        await this.#discard(segment, command.why)
        return { kind: 'acknowledged' }
      }
    }
  }

  /** Ends all segments because the daemon ends; resolves when all is stored, told and proved, which the caller bounds. */
  async stopAll(detail: string): Promise<void> {
    const all = [...this.#segments.values()]
    for (const { segment } of all) segment.terminate('failed', 'source_closed', detail)
    await Promise.all(all.flatMap(({ finished }) => finished ?? []))
  }

  /** The attachment that these segments belong to is over: reads no more, and still ships what was read. */
  endAll(detail: string): void {
    for (const { segment } of this.#segments.values()) segment.terminate('failed', 'collector_lost', detail)
  }

  /** The control plane will never take that chunk. */
  refused({ seq, code, ...ref }: SegmentRef & { seq: number; code: string }): void {
    this.#options.log.warn({ ...refOf(ref), seq, code }, 'a chunk was refused')
    this.#segments.get(keyOf(ref))?.segment.refused(seq, code)
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]()
  }

  async #open(command: OpenCommand): Promise<CommandResult> {
    const { find, clock, log, shipper, sourceEnded } = this.#options
    const refusal = refusalOf(command)
    if (refusal !== null) return refusal
    const target = await find(command.targetId)
    if (target === undefined) return refused('monitor_open_failed', 'this node does not read that target')
    const segment = new Segment({
      command,
      reader: target.reader,
      nowUs: () => target.nowUs(),
      shipper,
      changed: () => {
        if (segment.end?.reason === 'source_closed' || segment.end?.reason === 'source_error') sourceEnded()
        void this.#progress.reportNow()
      },
      clock,
    })
    const held: Held = { segment, opened: this.#openSegment(segment, target) }
    this.#segments.set(keyOf(command), held)
    const result = await held.opened
    if (result.kind === 'opened') held.finished = this.#finish(segment)
    else this.#segments.delete(keyOf(segment))
    log.info({ ...refOf(segment), targetId: command.targetId, result }, 'segment opened')
    return result
  }

  async #openSegment(segment: Segment, target: ReadableTarget): Promise<CommandResult> {
    try {
      const unknown = { serverVersion: null, role: 'primary' } as const
      const [dialect, facts] = await Promise.all([segment.open(), target.facts().catch(() => unknown)])
      return { kind: 'opened', serverVersion: facts.serverVersion, dialect, role: facts.role }
    } catch (error) {
      return refused('monitor_open_failed', error instanceof Error ? error.message : String(error))
    }
  }

  /** Sees an opened segment to its end: told, stored, and its manifest sent. */
  async #finish(segment: Segment): Promise<void> {
    const { log, sendManifest } = this.#options
    await this.#progress.add(segment)
    const manifest = await segment.stored
    const { end } = segment
    log.info({ ...refOf(segment), end, manifest }, 'segment ended')
    if (manifest !== null) {
      await sendManifest(segment, manifest).catch((error: unknown) =>
        log.warn({ ...refOf(segment), err: error }, 'the manifest of a segment was not taken'),
      )
    }
    this.#segments.delete(keyOf(segment))
  }

  async #discard(segment: Segment, why: string): Promise<void> {
    this.#progress.remove(segment)
    await segment.discard(why)
  }
}

const refOf = ({ captureId, segmentNo }: SegmentRef): SegmentRef => ({ captureId, segmentNo })
