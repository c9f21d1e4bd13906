import type { SegmentGap } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { costWords, gapWords, moveWords } from './gap-words.ts'
import { nextRates } from './segment-rates.ts'

const gap: SegmentGap = {
  gapNo: 0,
  reason: 'connection_lost',
  lastEventUs: null,
  firstEventUs: null,
  durationMs: 1500,
  missing: null,
  lostLines: null,
  lostBytes: null,
}

test('a gap says why, how long and what is lost; unknown is not none', () => {
  expect(gapWords(gap)).toBe(
    'Gap: the connection to the server broke and was opened again; before the first line, nothing has come since, 1.5 s in all; an unknown number of lines lost',
  )
  expect(
    gapWords({ ...gap, reason: 'overrun', lostLines: 0, lostBytes: 2048, missing: { fromSeq: 3, toSeq: 5 } }),
  ).toMatch(/more came than the daemon could keep.*; 0 lines \(2\.0 KiB\) lost, chunks 3 to 5$/)
})

test('a seam names the segment at its other side', () => {
  expect(gapWords({ ...gap, reason: 'role_changed', peerSegmentNo: 4 })).toMatch(/^Seam with segment 4: slots went/)
})

test('moved slots are counted and say where they went', () => {
  const move = {
    slots: [
      [0, 9],
      [12, 12],
    ] as [number, number][],
    peerSegmentNo: 2,
    at: '2026-01-31T08:00:00Z',
  }
  expect(moveWords({ ...move, direction: 'in' })).toBe('11 slots (0-9 12) came from segment 2')
  expect(moveWords({ ...move, slots: [[5, 5]], direction: 'out' })).toBe('1 slot (5) went to segment 2')
})

test('a cost has what was measured, and zero is a measure', () => {
  expect(costWords({ maxLagMs: null, omemBytes: null, maxOmemBytes: null, addedLatencyUs: null })).toEqual([])
  expect(costWords({ maxLagMs: 12, omemBytes: 0, maxOmemBytes: null, addedLatencyUs: 1500 })).toEqual([
    '2 ms added to a round trip',
    '0 B of output held for the reader',
    'lines were read at most 12 ms after they were run',
  ])
})

test('a rate is of the time between two reports, and a report that comes too soon changes nothing', () => {
  const at = (received: number) => [{ segmentNo: 3, counters: { received } as never }]
  const first = nextRates(new Map(), at(100), 1000)
  expect(first.get(3)?.perSecond).toBeNull()
  expect(nextRates(first, at(150), 1100)).toEqual(first)
  expect(nextRates(first, at(1100), 3000).get(3)?.perSecond).toBe(500)
  expect(nextRates(first, at(0), 3000).get(3)?.perSecond).toBe(0)
})
