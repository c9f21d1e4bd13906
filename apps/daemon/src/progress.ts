import type { Clock, TimerHandle } from '@sonde/contracts'
import type { Segment, SegmentProgress } from './segment.ts'

const PERIOD_MS = 1000
/** The most that one report carries. */
const MAX_SEGMENTS = 1024

export interface ProgressOptions {
  clock: Clock
  /** One report; throws when it did not arrive. */
  report: (segments: SegmentProgress[]) => Promise<void>
  log: { warn(fields: object, message: string): void }
}

/**
 * Tells the control plane how the segments do: once a second, and at once when one of them asks for it. An end is told
 * until a report that carried it arrived.
 */
export class Progress implements Disposable {
  readonly #options: ProgressOptions
  readonly #segments = new Map<Segment, () => void>()
  #timer: TimerHandle | undefined
  #isReporting = false
  #isAgain = false
  #isClosed = false

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  /** Reports the segment from now on; resolves when its end has been told. */
  add(segment: Segment): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#segments.set(segment, resolve)
    this.#schedule()
    return promise
  }

  /** Stops reporting it, told or not. */
  remove(segment: Segment): void {
    this.#segments.get(segment)?.()
    this.#segments.delete(segment)
  }

  /** Reports now, or right after the report that is under way. */
  async reportNow(): Promise<void> {
    if (this.#isReporting) {
      this.#isAgain = true
      return
    }
    if (this.#segments.size === 0 || this.#isClosed) return
    this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isReporting = true
    await this.#report()
    this.#isReporting = false
    if (!this.#isAgain) return this.#schedule()
    this.#isAgain = false
    return this.reportNow()
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#timer)
  }

  async #report(): Promise<void> {
    const all = [...this.#segments.keys()]
    for (let first = 0; first < all.length; first += MAX_SEGMENTS) {
      const part = all.slice(first, first + MAX_SEGMENTS)
      const told = part.map((segment) => segment.progress())
      try {
        await this.#options.report(told)
        for (const [index, segment] of part.entries()) if (told[index]?.end !== undefined) this.remove(segment)
      } catch (error) {
        this.#options.log.warn({ err: error }, 'the progress could not be reported; this is tried again')
      }
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#segments.size === 0 || this.#isClosed || this.#isReporting) return
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined
      void this.reportNow()
    }, PERIOD_MS)
  }
}
