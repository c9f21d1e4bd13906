import { LIVE_SEGMENT_STATUSES, type CaptureStatus, type Outcome, type SegmentStatus } from '@sonde/contracts'

/**
 * What happens to a segment.
 *
 * | event | when |
 * |---|---|
 * | `opened` | the node has MONITOR open |
 * | `refused` | it could not be opened, or too few others could |
 * | `begun` | the node records from now on |
 * | `ended` | reading is over, the target is free, chunks still ship |
 * | `proved` | the daemon's manifest equals what is stored, and it told of no gap |
 * | `disproved` | one of the two is not so |
 * | `lost` | the node fell silent and its lease ran out |
 */
export type SegmentEvent = 'opened' | 'refused' | 'begun' | 'ended' | 'proved' | 'disproved' | 'lost'

type Next = SegmentStatus | 'outcome' | null
const FINAL: Record<SegmentEvent, Next> = {
  opened: null,
  refused: null,
  begun: null,
  ended: null,
  proved: null,
  disproved: null,
  lost: null,
}

/** Total: null is an illegal change. `outcome` is decided by how reading ended. Final states never change. */
const SEGMENT_TRANSITIONS: Record<SegmentStatus, Record<SegmentEvent, Next>> = {
  pending: { ...FINAL, opened: 'opening', refused: 'failed', ended: 'closing', lost: 'lost' },
  opening: { ...FINAL, refused: 'failed', begun: 'running', ended: 'closing', lost: 'lost' },
  running: { ...FINAL, ended: 'closing', lost: 'lost' },
  closing: { ...FINAL, proved: 'outcome', disproved: 'outcome', lost: 'lost' },
  completed: FINAL,
  truncated: FINAL,
  incomplete: FINAL,
  failed: FINAL,
  lost: FINAL,
  skipped: FINAL,
}

/**
 * The status after an event; null when the event cannot happen in that status. A failed reading is `failed` whatever was
 * stored; else a hole makes it `incomplete`; else the outcome stands. So a `completed` segment has no hole.
 */
export const nextSegmentStatus = (
  status: SegmentStatus,
  event: SegmentEvent,
  outcome: Outcome | null = null,
): SegmentStatus | null => {
  const next = SEGMENT_TRANSITIONS[status][event]
  if (next !== 'outcome') return next
  if (outcome === null || outcome === 'failed') return 'failed'
  return event === 'proved' ? outcome : 'incomplete'
}

/** Whether a segment may still change. */
export const isLive = (status: SegmentStatus): boolean =>
  (LIVE_SEGMENT_STATUSES as readonly SegmentStatus[]).includes(status)

/** A capture's status from those of its segments (never empty: an empty plan is refused at the start). */
export const captureStatusOf = (statuses: readonly SegmentStatus[]): CaptureStatus => {
  if (statuses.some(isLive)) return 'running'
  if (statuses.every((status) => status === 'completed')) return 'completed'
  if (statuses.every((status) => status === 'completed' || status === 'truncated')) return 'truncated'
  const kept = statuses.some((status) => status === 'completed' || status === 'truncated' || status === 'incomplete')
  return kept ? 'partial' : 'failed'
}

/** Worst first: whose reason becomes the capture's when they differ. */
const WORST_FIRST: readonly SegmentStatus[] = ['lost', 'failed', 'incomplete', 'skipped', 'truncated', 'completed']

/** Why a capture ended: the common reason of its segments, else the worst segment's, with all reasons and their counts. */
export const captureTermination = (
  segments: readonly { status: SegmentStatus; reason: string | null; detail: string | null }[],
): { reason: string | null; detail: string | null } => {
  const counts = new Map<string, number>()
  for (const { reason } of segments) if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const worst = segments.toSorted((a, b) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status))[0]
  if (counts.size <= 1) return { reason: worst?.reason ?? null, detail: worst?.detail ?? null }
  const detail = [...counts].map(([reason, count]) => `${reason} ${count}`).join(', ')
  return { reason: worst?.reason ?? null, detail }
}
