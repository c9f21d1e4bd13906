import {
  LIVE_SEGMENT_STATUSES,
  SondeError,
  type Clock,
  type CommandResult,
  type CommittedSegment,
  type NodeCommandBody,
  type SegmentManifest,
  type SegmentManifestResult,
  type TimerHandle,
} from '@sonde/contracts'
import type { RestoredSegment } from '@sonde/daemon-sdk'
import type { ImpactLimits } from './guard/impact.ts'
import { openSegment } from './open-segment.ts'
import { Progress } from './progress.ts'
import { refusalOf, refused } from './refusal.ts'
import { Segment, type OpenCommand, type SegmentProgress, type Shipper } from './segment.ts'
import type { RedactionKey } from './redaction-key.ts'
import { pastOf, type SegmentNote, type SegmentPast } from './segment-past.ts'
import type { ReadableTarget } from './targets.ts'

export interface SegmentRef {
  captureId: string
  segmentNo: number
}

export interface SegmentsOptions {
  find: (targetId: string) => Promise<ReadableTarget | undefined>
  shipper: Shipper
  /** What masked arguments are hashed with. */
  redactionKey: RedactionKey
  /** Writes down what a daemon that is started after this one must know. @default nothing */
  note?: (segment: SegmentRef, note: SegmentNote) => Promise<void>
  report: (segments: SegmentProgress[]) => Promise<void>
  /** What is stored of segments, at most 1024; tries until the control plane has answered. */
  committed: (segments: SegmentRef[]) => Promise<CommittedSegment[]>
  /** Tries until the control plane has answered. */
  sendManifest: (segment: SegmentRef, manifest: SegmentManifest) => Promise<SegmentManifestResult>
  /** A source ended by itself: the targets have changed. */
  sourceEnded: () => void
  /** What reading may cost a server. */
  impact: Pick<ImpactLimits, 'cpuShare'>
  clock: Clock
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

const keyOf = ({ captureId, segmentNo }: SegmentRef): string => `${captureId}/${segmentNo}`

/** After a restart a target is known once it is declared, which waits for the control plane: as long as a node may be silent. */
const REOPEN_WAIT_MS = 60_000
/** Between two manifests of a segment whose chunks are asked for again, in milliseconds; twice as long each time. */
const RECONCILE_MS = { first: 500, most: 30_000 }
/** Segments of one question. */
const MAX_ASKED = 1024

interface Held {
  segment: Segment
  opened: Promise<CommandResult>
  /** Told, stored, and its manifest answered. */
  finished?: Promise<void>
  /** Of an earlier process: opens the target again. */
  resume?: () => Promise<void>
}

/** The segments of this node: does what commands say, each at most once however often it is said. */
export class Segments implements Disposable {
  readonly #options: SegmentsOptions
  readonly #progress: Progress
  readonly #segments = new Map<string, Held>()
  readonly #pauses = new Set<TimerHandle>()

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
        await segment.grant(command.slice)
        return { kind: 'acknowledged' }
      case 'segment.stop': {
        await segment.stop(command.reason)
        return { kind: 'acknowledged' }
      }
      case 'segment.resend':
        return { kind: 'resent', notHeld: await segment.resend(command.ranges, command.stored) }
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

  /** Takes up what an earlier process left; what it was reading is read again once {@link reattached} says so. */
  restore(restored: readonly RestoredSegment[]): void {
    for (const each of restored) {
      const past = readPast(each)
      if (past) this.#restore(past)
      else {
        this.#options.log.warn(refOf(each), 'what is known of a segment is damaged; its chunks are shipped')
        const { captureId, segmentNo } = each
        void this.#options.shipper
          .flushed(captureId, segmentNo)
          .then(() => this.#options.shipper.discard(captureId, segmentNo))
      }
    }
  }

  /** The node is attached in an epoch that these segments did not begin in: finds out what became of them meanwhile. */
  async reattached(): Promise<void> {
    const refs = [...this.#segments.values()].map(({ segment }) => refOf(segment))
    for (let first = 0; first < refs.length; first += MAX_ASKED) {
      const answers = await this.#options.committed(refs.slice(first, first + MAX_ASKED))
      await Promise.all(answers.map((answer) => this.#goOn(answer)))
    }
  }

  /** A chunk in the spool is not as it was written. */
  damaged({ seq, ...ref }: SegmentRef & { seq: number }): void {
    this.#segments.get(keyOf(ref))?.segment.damaged(seq)
    void this.#options.shipper.settled({ ...refOf(ref), seq })
  }

  /** The control plane will never take that chunk. */
  refused({ seq, code, ...ref }: SegmentRef & { seq: number; code: string }): void {
    this.#options.log.warn({ ...refOf(ref), seq, code }, 'a chunk was refused')
    const segment = this.#segments.get(keyOf(ref))?.segment
    if (code === 'capture.gone' && segment) void this.#discard(segment, 'the capture was deleted')
    else segment?.refused(seq, code)
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]()
    for (const timer of this.#pauses) this.#options.clock.clearTimeout(timer)
  }

  async #open(command: OpenCommand): Promise<CommandResult> {
    const { find, log, shipper } = this.#options
    const refusal = refusalOf(command)
    if (refusal !== null) return refusal
    const target = await find(command.targetId)
    if (target === undefined) return refused('monitor_open_failed', 'this node does not read that target')
    const segment = this.#make(command)
    const held: Held = { segment, opened: openSegment(segment, target, this.#options) }
    this.#segments.set(keyOf(command), held)
    const result = await held.opened
    if (result.kind === 'opened') held.finished = this.#finish(segment)
    else {
      this.#segments.delete(keyOf(segment))
      await shipper.discard(segment.captureId, segment.segmentNo)
    }
    log.info({ ...refOf(segment), targetId: command.targetId, result }, 'segment opened')
    return result
  }

  #make(command: OpenCommand, past?: SegmentPast): Segment {
    const { clock, shipper, redactionKey, sourceEnded, note = () => Promise.resolve() } = this.#options
    const segment: Segment = new Segment({
      command,
      shipper,
      redactionKey,
      note: (each) => note(refOf(command), each),
      ...(past && { past }),
      changed: () => {
        if (segment.end?.reason === 'source_closed' || segment.end?.reason === 'source_error') sourceEnded()
        void this.#progress.reportNow()
      },
      clock,
    })
    return segment
  }

  #restore(past: SegmentPast): void {
    const segment = this.#make(past.command, past)
    const { promise: opened, resolve } = Promise.withResolvers<CommandResult>()
    const held: Held = { segment, opened, resume: async () => resolve(await this.#reopen(segment)) }
    this.#segments.set(keyOf(segment), held)
    segment.restore()
    held.finished = this.#finish(segment)
    const { log } = this.#options
    log.info({ ...refOf(segment), end: segment.end, lost: past.lost.length }, 'segment taken up after a restart')
  }

  async #goOn(stored: CommittedSegment): Promise<void> {
    const held = this.#segments.get(keyOf(stored))
    if (!held) return
    const { segment, resume } = held
    delete held.resume
    if (stored.status === null) return this.#discard(segment, 'the control plane does not know this segment')
    await segment.settle(stored)
    const isLive = LIVE_SEGMENT_STATUSES.some((status) => status === stored.status)
    if (!isLive) segment.terminate('failed', 'collector_lost', 'the control plane had given the segment up')
    // What the spool holds is shipped meanwhile.
    void resume?.()
  }

  async #reopen(segment: Segment): Promise<CommandResult> {
    const { clock, find } = this.#options
    if (segment.end !== undefined) return refused('segment_ended', 'the segment ended before it was opened again')
    const untilMs = clock.monotonicMs() + REOPEN_WAIT_MS
    let target = await find(segment.targetId)
    while (!target && segment.end === undefined && clock.monotonicMs() < untilMs) target = await find(segment.targetId)
    if (segment.end !== undefined) return refused('segment_ended', 'the segment ended before it was opened again')
    const result = target
      ? await openSegment(segment, target, this.#options)
      : refused('monitor_open_failed', 'this node does not read that target any more')
    if (result.kind !== 'refused') return result
    if (result.code === 'impact_limit') segment.terminate('truncated', 'impact_limit', result.detail)
    else segment.terminate('failed', 'source_closed', result.detail)
    return result
  }

  /** Sees an opened segment to its end: told, stored, and its manifest sent. */
  async #finish(segment: Segment): Promise<void> {
    const { log } = this.#options
    await this.#progress.add(segment)
    const manifest = await segment.stored
    const { end } = segment
    log.info({ ...refOf(segment), end, manifest }, 'segment ended')
    if (manifest !== null && (await this.#prove(segment, manifest))) {
      await this.#options.shipper.discard(segment.captureId, segment.segmentNo)
    }
    this.#segments.delete(keyOf(segment))
  }

  /** Whether the control plane has said all that it will ever say of the segment. */
  async #prove(segment: Segment, manifest: SegmentManifest): Promise<boolean> {
    const { log, sendManifest } = this.#options
    try {
      for (let pauseMs = RECONCILE_MS.first; ; pauseMs = Math.min(2 * pauseMs, RECONCILE_MS.most)) {
        const { storage, missing } = await sendManifest(segment, manifest)
        if (missing.length > 0) log.warn({ ...refOf(segment), storage, missing }, 'the store lacks chunks of a segment')
        if (storage !== 'reconciling') return true
        await this.#pause(pauseMs)
      }
    } catch (error) {
      log.warn({ ...refOf(segment), err: error }, 'the manifest of a segment was not taken')
      return error instanceof SondeError && (error.code === 'capture.gone' || error.code === 'capture.not_found')
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.clock.setTimeout(resolve, ms)
    this.#pauses.add(timer)
    await promise
    this.#pauses.delete(timer)
  }

  async #discard(segment: Segment, why: string): Promise<void> {
    this.#progress.remove(segment)
    await segment.discard(why)
  }
}

const readPast = (restored: RestoredSegment): SegmentPast | undefined => {
  try {
    return pastOf(restored)
  } catch {
    return undefined
  }
}

const refOf = ({ captureId, segmentNo }: SegmentRef): SegmentRef => ({ captureId, segmentNo })
