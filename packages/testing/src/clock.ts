import type { Clock, TimerHandle } from '@sonde/contracts'

interface Timer {
  id: number
  at: number
  fn: () => void
}

/** A {@link Clock} that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number
  #elapsed = 0
  #lastId = 0
  #timers: Timer[] = []

  /** @param now milliseconds since 1970. Default 2026-01-01T00:00:00Z. */
  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonicMs(): number {
    return this.#elapsed
  }

  setTimeout(fn: () => void, ms: number): TimerHandle {
    this.#lastId += 1
    // Like the real one: never in the past, and a delay that is no number is none.
    this.#timers.push({ id: this.#lastId, at: this.#elapsed + Math.max(0, ms || 0), fn })
    return this.#lastId
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== handle)
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length
  }

  /** Milliseconds until the next timer is due, or undefined when none waits. */
  get nextInMs(): number | undefined {
    const next = this.#next()
    return next === undefined ? undefined : next.at - this.#elapsed
  }

  /** Moves time and fires, in order of their time, all timers that fall due, those set by others on the way included. */
  advance(ms: number): void {
    const end = this.#elapsed + ms
    for (let timer = this.#next(); timer !== undefined && timer.at <= end; timer = this.#next()) this.#fire(timer)
    this.#moveTo(end)
  }

  /** Like {@link advance}, and lets promises settle before each timer and at the end, so that they can set further timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await settle()
    for (let timer = this.#next(); timer !== undefined && timer.at <= end; timer = this.#next()) {
      this.#fire(timer)
      await settle()
    }
    this.#moveTo(end)
    await settle()
  }

  /** Sets the wall clock alone, as an administrator or NTP does; monotonic time and timers do not notice. */
  jumpTo(now: number): void {
    this.#now = now
  }

  #next(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>(
      (first, timer) => (first === undefined || timer.at < first.at ? timer : first),
      undefined,
    )
  }

  #fire(timer: Timer): void {
    this.clearTimeout(timer.id)
    this.#moveTo(timer.at)
    timer.fn()
  }

  #moveTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
