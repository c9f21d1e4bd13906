import { LIVE_SEGMENT_STATUSES, Outcome, SegmentStatus } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { captureStatusOf, captureTermination, isLive, nextSegmentStatus, type SegmentEvent } from './lifecycle.ts'

type Expected = SegmentStatus | 'outcome' | null
const never: Record<SegmentEvent, Expected> = {
  opened: null,
  refused: null,
  begun: null,
  ended: null,
  proved: null,
  disproved: null,
  lost: null,
}
const TABLE: Record<SegmentStatus, Record<SegmentEvent, Expected>> = {
  pending: { ...never, opened: 'opening', refused: 'failed', ended: 'closing', lost: 'lost' },
  opening: { ...never, begun: 'running', refused: 'failed', ended: 'closing', lost: 'lost' },
  running: { ...never, ended: 'closing', lost: 'lost' },
  closing: { ...never, proved: 'outcome', disproved: 'outcome', lost: 'lost' },
  completed: never,
  truncated: never,
  incomplete: never,
  failed: never,
  lost: never,
  skipped: never,
}

test('every pair of status and event leads where the table says', () => {
  for (const [status, row] of Object.entries(TABLE) as [SegmentStatus, Record<SegmentEvent, Expected>][]) {
    for (const [event, expected] of Object.entries(row) as [SegmentEvent, Expected][]) {
      if (expected === 'outcome') continue
      expect(nextSegmentStatus(status, event), `${status} ${event}`).toBe(expected)
    }
  }
})

test('a proof makes the outcome final, a hole makes it incomplete, a failed reading stays failed', () => {
  for (const outcome of Object.values(Outcome)) {
    expect(nextSegmentStatus('closing', 'proved', outcome)).toBe(outcome)
    expect(nextSegmentStatus('closing', 'disproved', outcome)).toBe(outcome === 'failed' ? 'failed' : 'incomplete')
  }
})

test('no sequence of events leaves a final status', () => {
  const event = fc.constantFrom<SegmentEvent>('opened', 'refused', 'begun', 'ended', 'proved', 'disproved', 'lost')
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), fc.constantFrom(...Object.values(Outcome)), (events, outcome) => {
      let status: SegmentStatus = 'pending'
      for (const each of events) {
        const before = status
        status = nextSegmentStatus(status, each, outcome) ?? status
        if (!isLive(before)) expect(status).toBe(before)
      }
    }),
  )
})

test('a capture runs for as long as any segment may still change', () => {
  for (const live of LIVE_SEGMENT_STATUSES) {
    for (const other of Object.values(SegmentStatus)) expect(captureStatusOf([other, live])).toBe('running')
  }
})

test.for<[SegmentStatus[], string]>([
  [['completed', 'completed'], 'completed'],
  [['completed', 'truncated'], 'truncated'],
  [['truncated'], 'truncated'],
  [['failed', 'lost', 'skipped'], 'failed'],
  [['failed', 'completed'], 'partial'],
  [['skipped', 'truncated'], 'partial'],
  [['incomplete'], 'partial'],
  [['incomplete', 'failed'], 'partial'],
])('segments %j make a capture %s', ([statuses, expected]) => {
  expect(captureStatusOf(statuses)).toBe(expected)
})

test('a reason that all segments share is the reason of the capture', () => {
  const stopped = { status: 'completed', reason: 'manual_stop', detail: null } as const
  expect(captureTermination([stopped, stopped])).toEqual({ reason: 'manual_stop', detail: null })
})

test('of differing reasons the worst segment gives the reason and the detail counts them all', () => {
  const ended = { status: 'completed', reason: 'duration_cap', detail: null } as const
  const broken = { status: 'failed', reason: 'source_closed', detail: 'Connection reset' } as const
  expect(captureTermination([ended, broken, ended])).toEqual({
    reason: 'source_closed',
    detail: 'duration_cap 2, source_closed 1',
  })
})
