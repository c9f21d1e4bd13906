import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SegmentMerge, type MergedLine } from './merge-order.ts'

interface Line {
  eventUs: number
  no: number
}

const segmentsOf = (times: readonly number[][]): Line[][] =>
  times.map((segment) => segment.map((eventUs, no) => ({ eventUs, no })))

/** The order by its definition: a stable sort of all lines by merge time and segment. */
const sorted = (segments: readonly Line[][]): MergedLine<Line>[] =>
  segments
    .flatMap((lines, segmentNo) => {
      let mergeUs = -1
      return lines.map((line) => ({ segmentNo, mergeUs: (mergeUs = Math.max(mergeUs, line.eventUs)), line }))
    })
    .toSorted((a, b) => a.mergeUs - b.mergeUs || a.segmentNo - b.segmentNo)

const times = fc.array(fc.array(fc.integer({ min: -1, max: 30 }), { maxLength: 40 }), { minLength: 1, maxLength: 8 })

test('rows that are all there are taken in sorted order', () => {
  fc.assert(
    fc.property(times, (given) => {
      const segments = segmentsOf(given)
      const merge = new SegmentMerge<Line>()
      for (const [segmentNo, lines] of segments.entries()) merge.push(segmentNo, lines)
      expect(merge.take(Infinity)).toEqual(sorted(segments))
      expect(merge.take(Infinity)).toEqual([])
    }),
  )
})

test('rows that come in pieces are settled in sorted order, when each starving segment is fed', () => {
  fc.assert(
    fc.property(times, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (given, sizes) => {
      const segments = segmentsOf(given)
      const merge = new SegmentMerge<Line>()
      const sent = segments.map(() => 0)
      for (const segmentNo of segments.keys()) merge.open(segmentNo)
      const out: MergedLine<Line>[] = []
      for (let round = 0; merge.starving.length > 0; round += 1) {
        for (const segmentNo of merge.starving) {
          const lines = segments[segmentNo]!
          const start = sent[segmentNo]!
          if (start === lines.length) merge.close(segmentNo)
          else merge.push(segmentNo, lines.slice(start, (sent[segmentNo] = start + sizes[round % sizes.length]!)))
          sent[segmentNo] = Math.min(sent[segmentNo]!, lines.length)
        }
        out.push(...merge.takeSettled(3), ...merge.takeSettled())
      }
      expect(out).toEqual(sorted(segments))
    }),
  )
})

test('no row is taken before its merge time is reached, none is lost, and each segment keeps its order', () => {
  const steps = fc.array(fc.record({ segmentNo: fc.nat(3), times: fc.array(fc.nat(50)), watermark: fc.nat(60) }))
  fc.assert(
    fc.property(steps, (given) => {
      const merge = new SegmentMerge<Line>()
      const pushed: Line[][] = [[], [], [], []]
      const taken: Line[][] = [[], [], [], []]
      for (const { segmentNo, times: eventTimes, watermark } of given) {
        const lines = eventTimes.map((eventUs, index) => ({ eventUs, no: pushed[segmentNo]!.length + index }))
        pushed[segmentNo]!.push(...lines)
        merge.push(segmentNo, lines)
        const rows = merge.take(watermark)
        for (const row of rows) {
          expect(row.mergeUs).toBeLessThanOrEqual(watermark)
          taken[row.segmentNo]!.push(row.line)
        }
        const order = rows.map(({ mergeUs, segmentNo: no }) => mergeUs * 10 + no)
        expect(order).toEqual(order.toSorted((a, b) => a - b))
      }
      for (const row of merge.take(Infinity)) taken[row.segmentNo]!.push(row.line)
      expect(taken).toEqual(pushed)
    }),
  )
})

test('a clock that steps back does not reorder its segment', () => {
  const merge = new SegmentMerge<Line>()
  merge.push(1, segmentsOf([[50, 10, 60]])[0]!)
  merge.push(0, segmentsOf([[20, 50, 55]])[0]!)
  const order = merge.take(100).map(({ segmentNo, mergeUs, line }) => [segmentNo, mergeUs, line.eventUs])
  expect(order).toEqual([
    [0, 20, 20],
    [0, 50, 50],
    [1, 50, 50],
    [1, 50, 10],
    [0, 55, 55],
    [1, 60, 60],
  ])
})

test('a line without a time takes the time of the line before it', () => {
  const merge = new SegmentMerge<Line>()
  merge.open(0, 40)
  merge.push(0, segmentsOf([[-1, 45, -1]])[0]!)
  expect(merge.take(44).map(({ mergeUs }) => mergeUs)).toEqual([40])
  expect(merge.take(45).map(({ mergeUs }) => mergeUs)).toEqual([45, 45])
})

test('a segment that was closed takes no more lines and holds nobody up', () => {
  const merge = new SegmentMerge<Line>()
  merge.open(0)
  merge.push(1, [{ eventUs: 1, no: 0 }])
  expect(merge.takeSettled()).toEqual([])
  expect(merge.starving).toEqual([0])
  merge.close(0)
  expect(merge.takeSettled()).toHaveLength(1)
  expect(() => merge.push(0, [])).toThrow(RangeError)
})

test('a long batch that is taken in parts, with more pushed in between, keeps its order', () => {
  const merge = new SegmentMerge<Line>()
  const lines = Array.from({ length: 10_000 }, (_, no) => ({ eventUs: no, no }))
  merge.push(0, lines.slice(0, 6000))
  const first = merge.take(4999)
  merge.push(0, lines.slice(6000))
  expect([...first, ...merge.take(Infinity)].map(({ line }) => line)).toEqual(lines)
})
