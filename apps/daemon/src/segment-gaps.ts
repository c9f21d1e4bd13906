import { CAPTURE_LIMITS, type Clock, type Gap } from '@sonde/contracts'

type GapReason = Gap['reason']

/** The gaps of one segment: opened when lines begin to be missing, closed by the first line after. */
export class SegmentGaps {
  readonly #clock: Clock
  readonly #closed: Gap[]
  #open: { reason: GapReason; sinceMs: number; lastEventUs: number | null } | undefined
  #lastEventUs: number | null = null

  /** @param past those that an earlier process told */
  constructor(clock: Clock, past: readonly Gap[] = []) {
    this.#clock = clock
    this.#closed = [...past]
  }

  /** Those that are over, in their order. */
  get list(): Gap[] {
    return [...this.#closed]
  }

  /** No further gap can be told. */
  get isFull(): boolean {
    return this.#closed.length >= CAPTURE_LIMITS.gaps
  }

  /** Lines are missing since so many milliseconds; a gap that is open already goes on. */
  open(reason: GapReason, agoMs: number = 0): void {
    this.#open ??= { reason, sinceMs: this.#clock.monotonicMs() - agoMs, lastEventUs: this.#lastEventUs }
  }

  /** A chunk was cut and is lost; those that follow each other are one gap. */
  lose(reason: GapReason, { seq, lines, bytes }: { seq: number; lines: number; bytes: number }): void {
    const isKnown = (gap: Gap) => gap.missing !== null && seq >= gap.missing.fromSeq && seq <= gap.missing.toSeq
    if (this.#closed.some(isKnown)) return
    const last = this.#closed.at(-1)
    if (last?.reason === reason && last.missing?.toSeq === seq - 1) {
      const missing = { ...last.missing, toSeq: seq }
      const [lostLines, lostBytes] = [(last.lostLines ?? 0) + lines, (last.lostBytes ?? 0) + bytes]
      this.#closed[this.#closed.length - 1] = { ...last, missing, lostLines, lostBytes }
    } else if (!this.isFull) {
      const gapNo = this.#closed.length
      const missing = { fromSeq: seq, toSeq: seq }
      const times = { lastEventUs: this.#lastEventUs, firstEventUs: null, durationMs: 0 }
      this.#closed.push({ gapNo, reason, ...times, missing, lostLines: lines, lostBytes: bytes })
    }
  }

  /** Where an earlier process stopped. */
  after(lastEventUs: number | undefined): void {
    this.#lastEventUs = lastEventUs === undefined || lastEventUs < 0 ? null : lastEventUs
  }

  line(eventUs: number): void {
    if (this.#open !== undefined) this.#close(eventUs)
    this.#lastEventUs = eventUs
  }

  /** The segment is over. After a failure nothing is missing from it: it ended where the lines ended. */
  end(isFailure: boolean): void {
    if (this.#open !== undefined && !isFailure) this.#close(null)
    this.#open = undefined
  }

  #close(firstEventUs: number | null): void {
    if (this.#open === undefined) return
    const { reason, sinceMs, lastEventUs } = this.#open
    const durationMs = Math.round(this.#clock.monotonicMs() - sinceMs)
    const unknown = { missing: null, lostLines: null, lostBytes: null }
    this.#closed.push({ gapNo: this.#closed.length, reason, lastEventUs, firstEventUs, durationMs, ...unknown })
    this.#open = undefined
  }
}
