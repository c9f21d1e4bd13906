import type { Capture } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { tailNotices } from '../tail/tail-notices.ts'
import { incompleteWords, planWords, totalWords } from './search-words.ts'

const counters = { filtered: 7, sampledOut: 9, dropped: 0 }
const capture = {
  filter: null,
  sampling: null,
  segments: [
    { segmentNo: 0, targetHost: '10.0.0.1', targetPort: 6379, status: 'running', counters, gaps: [] },
    { segmentNo: 1, targetHost: '10.0.0.2', targetPort: 6379, status: 'skipped', counters, gaps: [] },
  ],
} as unknown as Capture

test('a total is told as exact, or as the least that it can be', () => {
  expect(totalWords({ lines: 12_345, estimated: false })).toBe('12,345 lines match')
  expect(totalWords({ lines: 1, estimated: false })).toBe('1 line matches')
  expect(totalWords({ lines: 12_345, estimated: true })).toMatch(/^about 12,345 lines match: at least so many/)
  expect(totalWords(null)).toBe('')
})

test('what was read is told with what was left out', () => {
  const plan = { chunks: 1200, skipped: 1000, counted: 190, scanned: 10, scannedLines: 5, scannedBytes: 2048, ms: 12 }
  expect(planWords(plan)).toBe(
    '12 ms: 10 of 1,200 chunks read (5 lines, 2.0 KiB), 1,000 left out and 190 counted by their summaries',
  )
})

test('segments that are not whole are named, each with its reason', () => {
  const captureId = '01930f2e-7c1a-7a00-8000-0123456789ab'
  const missing = [
    { fromSeq: 3, toSeq: 3 },
    { fromSeq: 5, toSeq: 9 },
  ]
  expect(
    incompleteWords(capture, [
      { captureId, segmentNo: 0, storage: 'incomplete', missing },
      { captureId, segmentNo: 1, storage: 'none', missing: null },
    ]),
  ).toEqual([
    'segment 0 (10.0.0.1:6379): not stored whole, chunks 3, 5-9 are missing',
    'segment 1 (10.0.0.2:6379): skipped, it was never read',
  ])
})

test('a tail says which lines it does not have, and nothing while it has all of them', () => {
  expect(tailNotices(capture, 10_000)).toEqual([])
  expect(tailNotices(capture, 10_001)[0]).toBe(
    'Begins with the last 10,000 of 10,001 lines; the search has all of them.',
  )
  const partial = {
    ...capture,
    filter: 'cmd:GET\u202e',
    sampling: { every: 10, by: 'key' },
    segments: [{ ...capture.segments[0], counters: { ...counters, dropped: 3 }, gaps: [{}] }],
  } as unknown as Capture
  expect(tailNotices(partial, 0)).toEqual([
    'Recorded with the filter cmd:GET\\u{202e}; 7 other lines were left out.',
    'A sample: one key of 10; 9 lines were left out.',
    '3 lines were read and could not be kept.',
    'Lines are missing at 1 place; the segments say where and why.',
  ])
})
