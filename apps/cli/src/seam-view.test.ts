import type { SegmentGap } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { formatInstant } from './print/units.ts'
import { seamLines } from './seam-view.ts'

const AT = '2026-11-25T06:00:00.000Z'
const seam = (peerSegmentNo: number, times: Partial<SegmentGap> = {}): SegmentGap => ({
  gapNo: 64,
  reason: 'role_changed',
  lastEventUs: 1_000_000,
  firstEventUs: 3_500_000,
  durationMs: 2_500,
  missing: null,
  lostLines: null,
  lostBytes: null,
  peerSegmentNo,
  ...times,
})

test('a seam, a joiner and moved slots are each shown once, though both segments have them', () => {
  const lines = seamLines([
    {
      segmentNo: 0,
      joinedAt: null,
      gaps: [seam(2), { ...seam(2), reason: 'overrun', peerSegmentNo: undefined }],
      slotMoves: [{ slots: [[0, 0]], direction: 'out', peerSegmentNo: 1, at: AT }],
    },
    {
      segmentNo: 1,
      joinedAt: null,
      gaps: [seam(3, { firstEventUs: null, durationMs: 0 })],
      slotMoves: [{ slots: [[0, 0]], direction: 'in', peerSegmentNo: 0, at: AT }],
    },
    { segmentNo: 2, joinedAt: AT, gaps: [seam(0)], slotMoves: [] },
  ])
  expect(lines).toEqual([
    'seam: #2 continues #0, 2.5 s between their lines',
    `slot 0: from #0 to #1, ${formatInstant(AT)}`,
    'seam: #3 continues #1, no lines on both sides',
    `#2 joined ${formatInstant(AT)}`,
  ])
})
