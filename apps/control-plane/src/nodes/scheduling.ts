import type { DrainMode, OnDeadline, Scheduling, SchedulingResult } from '@sonde/contracts'

/** The marks as stored. */
export interface SchedulingMarks {
  cordoned_at: Date | null
  drain_requested_at: Date | null
  drain_deadline: Date | null
  on_deadline: OnDeadline | null
}

/** What the marks mean: a drain implies a cordon. */
export const schedulingOf = (marks: Pick<SchedulingMarks, 'cordoned_at' | 'drain_requested_at'>): Scheduling => {
  if (marks.drain_requested_at !== null) return 'draining'
  return marks.cordoned_at === null ? 'open' : 'cordoned'
}

/**
 * What a node is to do at `now` of the database's clock; null when it is not being drained. Derived from the marks alone,
 * so that `finish` becomes `stop` at the deadline whatever process answers, and none has to be alive at that moment.
 */
export const drainModeOf = (marks: Omit<SchedulingMarks, 'cordoned_at'>, now: Date): DrainMode | null => {
  if (marks.drain_requested_at === null || marks.drain_deadline === null) return null
  return marks.on_deadline === 'stop' && now >= marks.drain_deadline ? 'stop' : 'finish'
}

/** The marks as the wire shows them. */
export const shownMarks = (marks: SchedulingMarks, now: Date): Pick<SchedulingResult, 'cordonedAt' | 'drain'> => {
  const { cordoned_at, drain_requested_at, drain_deadline, on_deadline } = marks
  const mode = drainModeOf(marks, now)
  const isDrain = mode !== null && drain_requested_at !== null && drain_deadline !== null && on_deadline !== null
  return {
    cordonedAt: cordoned_at?.toISOString() ?? null,
    drain: isDrain
      ? {
          requestedAt: drain_requested_at.toISOString(),
          deadline: drain_deadline.toISOString(),
          onDeadline: on_deadline,
          mode,
        }
      : null,
  }
}
