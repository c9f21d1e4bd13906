/** How long to wait before a further try. `random` gives 0 (inclusive) to 1 (exclusive). */
export interface BackoffOptions {
  /** Failures so far, less one: 0 for the wait after the first. */
  attempt: number
  random: () => number
  /** Upper bound of the first wait, in milliseconds. @default 250 */
  baseMs?: number
  /** Upper bound of any wait, in milliseconds. @default 30_000 */
  capMs?: number
}

/**
 * Capped exponential back-off with full jitter: anything from 0 to the bound, which doubles with each failure, so that
 * a fleet that lost its control plane together does not come back together.
 */
export const fullJitterMs = ({ attempt, random, baseMs = 250, capMs = 30_000 }: BackoffOptions): number =>
  random() * Math.min(capMs, baseMs * 2 ** attempt)

/** A period off by up to a tenth in either direction, so that daemons started together drift apart. */
export const aboutMs = (periodMs: number, random: () => number): number => periodMs * (0.9 + 0.2 * random())
