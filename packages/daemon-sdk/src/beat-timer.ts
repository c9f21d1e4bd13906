import type { Clock, TimerHandle } from '@sonde/contracts'
import { aboutMs } from './backoff.ts'

export interface BeatTimerOptions {
  clock: Clock
  random: () => number
  onDue: () => void
}

/** Says when the next beat is due. */
export interface BeatTimer {
  /** About `heartbeatMs` from now, instead of what was scheduled before. */
  schedule(heartbeatMs: number): void
  cancel(): void
}

/** How long a host can be awake again before a missed beat is noticed, in milliseconds. */
const LOOK_MS = 1_000

/**
 * Beats by monotonic time, so that a clock that is set delays none. Where monotonic time stands still while the host sleeps, a timer
 * would go on after the wake as if nothing had been: so it looks every second whether the wall clock says that the beat
 * is overdue by more than one period, and then beats at once. A wall clock set forward costs one beat.
 */
export const createBeatTimer = ({ clock, random, onDue }: BeatTimerOptions): BeatTimer => {
  let timer: TimerHandle | undefined
  const cancel = (): void => clock.clearTimeout(timer)
  return {
    schedule: (heartbeatMs) => {
      cancel()
      const plannedMs = aboutMs(heartbeatMs, random)
      const since = { monotonicMs: clock.monotonicMs(), wallMs: clock.now() }
      const look = (): void => {
        const leftMs = plannedMs - (clock.monotonicMs() - since.monotonicMs)
        const overdueMs = clock.now() - since.wallMs - plannedMs
        if (leftMs <= 0 || overdueMs > heartbeatMs) return onDue()
        timer = clock.setTimeout(look, Math.min(leftMs, LOOK_MS))
      }
      look()
    },
    cancel,
  }
}
