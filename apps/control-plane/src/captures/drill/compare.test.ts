import type { Gap, Segment } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { compareAcknowledged, compareSegment } from './compare.ts'
import type { Sent } from './numbered-load.ts'
import type { StoredSegment } from './stored.ts'

const PORT = 7001
const SECOND = 1_000_000
/** One command a second, executed by the server of the segment. */
const commands: Sent[] = Array.from({ length: 10 }, (_, at) => ({
  sentUs: at * SECOND,
  answeredUs: at * SECOND + 1_000,
  port: PORT,
}))
const storedOf = (numbers: number[]): StoredSegment => ({
  chunks: numbers.map((at) => ({ seq: at, firstEventUs: at * SECOND, lastEventUs: at * SECOND })),
  numbers: numbers.map((number) => ({ tag: 't1', number })),
  lines: numbers.length,
  damaged: [],
})
const gapOf = (lastEventUs: number | null, firstEventUs: number | null): Gap => ({
  gapNo: 0,
  reason: 'connection_lost',
  lastEventUs,
  firstEventUs,
  durationMs: 0,
  missing: null,
  lostLines: null,
  lostBytes: null,
})
const verdicts = (numbers: number[], fields: Partial<Segment> = {}): boolean[] => {
  const told = { segmentNo: 0, targetPort: PORT, terminationReason: 'manual_stop', gaps: [], missing: [] }
  const segment = { ...told, lineCount: numbers.length, ...fields } as Partial<Segment> as Segment
  return compareSegment({ segment, stored: storedOf(numbers), sent: new Map([['t1', commands]]) }).map(({ ok }) => ok)
}
const ALL = commands.map((_, at) => at)

test('a set that is whole passes, and a number that is missing without a report does not', () => {
  expect(verdicts(ALL)).toEqual([true, true])
  expect(verdicts(ALL.filter((at) => at !== 4))).toEqual([false, true])
  expect(verdicts(ALL.filter((at) => at !== 9))).toEqual([false, true])
})

test('a gap covers what lies in it and nothing else', () => {
  const without = ALL.filter((at) => at !== 4 && at !== 5)
  expect(verdicts(without, { gaps: [gapOf(3 * SECOND, 6 * SECOND)] })).toEqual([true, true])
  expect(verdicts(without, { gaps: [gapOf(4.9 * SECOND, 6 * SECOND)] })).toEqual([false, true])
  expect(verdicts(without, { gaps: [{ ...gapOf(null, null), missing: { fromSeq: 4, toSeq: 5 } }] })).toEqual([
    true,
    true,
  ])
  expect(verdicts(without, { missing: [{ fromSeq: 4, toSeq: 5 }] })).toEqual([true, true])
})

test('after an end that was no success nothing is expected, before it everything', () => {
  const lost = { terminationReason: 'collector_lost' } as const
  expect(verdicts([0, 1, 2, 3], lost)).toEqual([true, true])
  expect(verdicts([0, 2, 3], lost)).toEqual([false, true])
})

test('a number that is stored twice or was never sent, and totals that do not agree, are found', () => {
  expect(verdicts([...ALL, 3])).toEqual([true, false])
  expect(verdicts([...ALL, 10])).toEqual([true, false])
  expect(verdicts(ALL, { lineCount: 11 })).toEqual([true, false])
})

test('a chunk that was acknowledged and is not stored is found', () => {
  expect(compareAcknowledged(new Set(['a']), new Set(['a', 'b'])).ok).toBe(true)
  expect(compareAcknowledged(new Set(['a', 'c']), new Set(['a', 'b'])).ok).toBe(false)
  expect(compareAcknowledged(new Set(), new Set()).ok).toBe(false)
})
