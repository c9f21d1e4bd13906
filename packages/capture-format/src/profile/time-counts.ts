/** Steps that are told apart: over an hour of seconds, an idle capture of any length. */
const MOST_STEPS = 4096

/**
 * How many lines each step of time has. A step is a second, and doubles as often as it must for no more than 4,096 steps to have
 * lines: so the counts stay exact, and do not depend on the order in which they came together.
 */
export class TimeCounts {
  /** Seconds that one step has: a power of 2. */
  step = 1
  #counts = new Map<number, number>()

  get size(): number {
    return this.#counts.size
  }

  /** Lines at so many microseconds since 1970. */
  add(eventUs: number, lines: number = 1): void {
    this.#set(Math.floor(eventUs / (1e6 * this.step)), lines)
    while (this.#counts.size > MOST_STEPS) this.widen(2 * this.step)
  }

  merge(other: TimeCounts): void {
    this.widen(other.step)
    for (const { at, lines } of other.entries()) this.add(at * 1e6, lines)
  }

  /** Makes the steps as long as those of counts that are merged. */
  widen(step: number): void {
    if (step <= this.step) return
    const factor = step / this.step
    this.step = step
    const narrow = this.#counts
    this.#counts = new Map()
    for (const [key, lines] of narrow) this.#set(Math.floor(key / factor), lines)
  }

  /** Begin of each step in seconds since 1970, in order, with its lines. */
  entries(): { at: number; lines: number }[] {
    return [...this.#counts].toSorted(([a], [b]) => a - b).map(([key, lines]) => ({ at: key * this.step, lines }))
  }

  #set(key: number, lines: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + lines)
  }
}
