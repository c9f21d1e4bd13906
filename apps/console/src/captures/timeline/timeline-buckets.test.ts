import { expect, test } from 'vitest'
import { bucketTime, rangeBetween, rateOf, timelineOf, totalRates } from './timeline-buckets.ts'

const SECOND = 1_000_000
const part = (segmentNo: number, [from, to]: readonly [number, number], lines: number) => ({
  segmentNo,
  fromUs: from * SECOND,
  toUs: to * SECOND,
  lines,
})

test('lines of a part are spread over the seconds that it lies in, and none is lost', () => {
  const timeline = timelineOf([part(1, [100.5, 101.5], 10), part(0, [100, 100], 4), part(1, [103, 103.25], 6)])!
  expect(timeline).toMatchObject({ startUs: 100 * SECOND, bucketUs: SECOND, bucketCount: 4 })
  expect(timeline.segments.map(({ segmentNo, lines }) => [segmentNo, [...lines]])).toEqual([
    [0, [4, 0, 0, 0]],
    [1, [5, 5, 0, 6]],
  ])
  expect(totalRates(timeline)).toEqual([9, 5, 0, 6])
})

test('a longer time takes longer steps, never more than 240 of them, and rates stay per second', () => {
  const timeline = timelineOf([part(0, [0, 3599.999], 3600)])!
  expect(timeline.bucketUs).toBe(15 * SECOND)
  expect(timeline.bucketCount).toBe(240)
  expect(rateOf(timeline.segments[0]!, 5, timeline.bucketUs)).toBeCloseTo(1, 3)
  for (const seconds of [1, 239, 240, 86_400, 40 * 86_400]) {
    const { bucketCount } = timelineOf([part(0, [7, 7 + seconds], 1)])!
    expect(bucketCount, String(seconds)).toBeLessThanOrEqual(240)
  }
})

test('buckets of half a second are told apart by their times', () => {
  const timeline = timelineOf([part(0, [100, 101.4], 3)], 0.5)!
  expect(timeline).toMatchObject({ bucketUs: SECOND / 2, bucketCount: 3 })
  expect([0, 1, 2].map((index) => bucketTime(timeline, index).slice(5))).toEqual([':40.0', ':40.5', ':41.0'])
})

test('of minutes nothing finer is shown, and of no part nothing', () => {
  expect(timelineOf([part(0, [60, 120], 5)], 60)?.bucketUs).toBe(60 * SECOND)
  expect(timelineOf([])).toBeUndefined()
})

test('two places of the plot are a time, in whichever order they were drawn', () => {
  const timeline = timelineOf([part(0, [100, 109.5], 10)])!
  expect(rangeBetween(timeline, [0.5, 0.2])).toEqual({ from: 102 * SECOND, to: 105 * SECOND })
  expect(rangeBetween(timeline, [-3, 9])).toEqual({ from: 100 * SECOND, to: 110 * SECOND })
})
