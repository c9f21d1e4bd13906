import { formatEventTime } from '../../ui/units.ts'

/** Lines of a segment that were run within a span, both ends in microseconds of its target's clock. */
export interface TimelinePart {
  segmentNo: number
  fromUs: number
  toUs: number
  lines: number
}

/** Lines by time and segment, in spans of equal length. */
export interface Timeline {
  startUs: number
  /** Length of one bucket, in microseconds. */
  bucketUs: number
  bucketCount: number
  /** By number. */
  segments: readonly { segmentNo: number; lines: Float64Array }[]
}

/** Lengths of a bucket, in seconds: what people count time in. */
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]
const MOST_BUCKETS = 240
const SECOND_US = 1_000_000

/**
 * Parts as buckets of the shortest step, of at least `finestS` seconds, with which there are at most 240. A part that lies in
 * several is spread evenly. Undefined for no part.
 */
export const timelineOf = (parts: readonly TimelinePart[], finestS = 1): Timeline | undefined => {
  if (parts.length === 0) return undefined
  let [firstUs, lastUs] = [Number.POSITIVE_INFINITY, 0]
  for (const { fromUs, toUs } of parts) {
    firstUs = Math.min(firstUs, fromUs)
    lastUs = Math.max(lastUs, toUs)
  }
  const countOf = (bucketUs: number) => Math.floor(lastUs / bucketUs) - Math.floor(firstUs / bucketUs) + 1
  const step = STEPS.find((each) => each >= finestS && countOf(each * SECOND_US) <= MOST_BUCKETS)
  // Beyond the longest step only where the clocks of servers are far apart: a capture lasts a day at most.
  const hours = Math.ceil((lastUs - firstUs) / SECOND_US / 3600 / (MOST_BUCKETS - 1))
  const bucketUs = (step ?? hours * 3600) * SECOND_US
  const startUs = Math.floor(firstUs / bucketUs) * bucketUs
  const bucketCount = countOf(bucketUs)
  const bySegment = new Map<number, Float64Array>()
  for (const part of parts) {
    const lines = bySegment.get(part.segmentNo) ?? new Float64Array(bucketCount)
    bySegment.set(part.segmentNo, lines)
    spread(lines, part, { startUs, bucketUs })
  }
  return {
    startUs,
    bucketUs,
    bucketCount,
    segments: [...bySegment]
      .map(([segmentNo, lines]) => ({ segmentNo, lines }))
      .toSorted((a, b) => a.segmentNo - b.segmentNo),
  }
}

const spread = (
  into: Float64Array,
  { fromUs, toUs, lines }: TimelinePart,
  { startUs, bucketUs }: { startUs: number; bucketUs: number },
): void => {
  const first = Math.floor((fromUs - startUs) / bucketUs)
  const last = Math.max(first, Math.floor((toUs - startUs) / bucketUs))
  const lengthUs = toUs - fromUs
  for (let index = first; index <= last; index += 1) {
    const overlapUs = Math.min(toUs, startUs + (index + 1) * bucketUs) - Math.max(fromUs, startUs + index * bucketUs)
    into[index]! += first === last ? lines : (lines * overlapUs) / lengthUs
  }
}

/** When a bucket begins, as far as buckets differ. */
export const bucketTime = ({ startUs, bucketUs }: Timeline, index: number): string =>
  formatEventTime(startUs + index * bucketUs).slice(0, bucketUs < SECOND_US ? 10 : 8)

/** Lines per second of all segments together, by bucket. */
export const totalRates = ({ segments, bucketCount, bucketUs }: Timeline): number[] =>
  Array.from(
    { length: bucketCount },
    (_, index) => segments.reduce((total, { lines }) => total + lines[index]!, 0) / (bucketUs / SECOND_US),
  )

/** Lines per second of one segment in one bucket. */
export const rateOf = ({ lines }: Timeline['segments'][number], index: number, bucketUs: number): number =>
  (lines[index] ?? 0) / (bucketUs / SECOND_US)

/** The time between two places of the plot, from 0 to 1, in whole microseconds. */
export const rangeBetween = (
  { startUs, bucketUs, bucketCount }: Timeline,
  [one, other]: readonly [number, number],
): { from: number; to: number } => {
  const at = (place: number) => Math.round(startUs + Math.min(1, Math.max(0, place)) * bucketUs * bucketCount)
  return { from: at(Math.min(one, other)), to: at(Math.max(one, other)) }
}
