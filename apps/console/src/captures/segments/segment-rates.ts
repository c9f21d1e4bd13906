import type { Segment } from '@sonde/contracts'

/** Counts of a segment at a moment of the page's clock, and the rate since the moment before. */
export interface RateSample {
  atMs: number
  received: number
  /** Lines per second; null until two moments are known. */
  perSecond: number | null
}

/** Reports come once a second, so that a shorter time tells nothing. */
const SHORTEST_MS = 900

/** The samples after new rows; one that is too young stays. */
export const nextRates = (
  before: ReadonlyMap<number, RateSample>,
  segments: readonly Pick<Segment, 'segmentNo' | 'counters'>[],
  nowMs: number,
): Map<number, RateSample> =>
  new Map(
    segments.map(({ segmentNo, counters: { received } }) => {
      const last = before.get(segmentNo)
      if (last && nowMs - last.atMs < SHORTEST_MS) return [segmentNo, last]
      const perSecond = last ? Math.max(0, ((received - last.received) * 1000) / (nowMs - last.atMs)) : null
      return [segmentNo, { atMs: nowMs, received, perSecond }]
    }),
  )
