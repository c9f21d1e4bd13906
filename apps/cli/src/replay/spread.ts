/** Four steps double a time: what is told is at most 19 % above what was. */
const STEPS_PER_DOUBLE = 4
const LEAST_MS = 0.01

/** Times in milliseconds, of which the largest is known exactly and shares within a fifth, in constant memory. */
export class Spread {
  readonly #counts = new Map<number, number>()
  #total = 0
  #max = 0

  add(ms: number): void {
    const step = Math.ceil(Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS) * STEPS_PER_DOUBLE)
    this.#counts.set(step, (this.#counts.get(step) ?? 0) + 1)
    this.#total += 1
    this.#max = Math.max(this.#max, ms)
  }

  get max(): number {
    return this.#max
  }

  /** At least this share, 0 to 1, took no longer; 0 before there is any. */
  atMost(share: number): number {
    let seen = 0
    for (const [step, count] of [...this.#counts].toSorted(([a], [b]) => a - b)) {
      seen += count
      if (seen >= share * this.#total) return Math.min(this.#max, LEAST_MS * 2 ** (step / STEPS_PER_DOUBLE))
    }
    return this.#max
  }
}
