import type { Clock, TimerHandle } from '@sonde/contracts'

export interface StallWatchOptions {
  clock: Clock
  /** Asks the watched thread for a `pong`. */
  ping: () => void
  /** The thread has not answered for 10 s, and still does not; told once in each stall. */
  onLong: (stalledMs: number) => void
  /** The thread answers again after it did not for more than 2 s. */
  onOver: (stalledMs: number) => void
}

/** Watches whether another thread answers. */
export interface StallWatch extends Disposable {
  pong(): void
}

const PING_MS = 1_000
/** Longer than any pause of a garbage collector, shorter than the wait for a command's answer. */
const STALL_MS = 2_000
const LONG_STALL_MS = 10_000

/** Pings once a second, one ping at a time. Time in which the watching thread itself stood still is not counted. */
export const createStallWatch = ({ clock, ping, onLong, onOver }: StallWatchOptions): StallWatch => {
  let timer: TimerHandle | undefined
  /** The ping that is not answered: milliseconds counted since, and whether a long stall was told. */
  let open: { forMs: number; isLong: boolean } | undefined
  let seenMs = clock.monotonicMs()

  const count = (): void => {
    const nowMs = clock.monotonicMs()
    const passedMs = nowMs - seenMs
    seenMs = nowMs
    // This thread should have looked after PING_MS: more than twice that, and it was the whole process, or the host, that slept.
    if (open) open.forMs += passedMs > 2 * PING_MS ? 0 : passedMs
  }
  const look = (): void => {
    count()
    if (!open) {
      open = { forMs: 0, isLong: false }
      ping()
    } else if (open.forMs >= LONG_STALL_MS && !open.isLong) {
      open.isLong = true
      onLong(open.forMs)
    }
    timer = clock.setTimeout(look, PING_MS)
  }
  look()
  return {
    pong: () => {
      count()
      const stalledMs = open?.forMs ?? 0
      open = undefined
      if (stalledMs > STALL_MS) onOver(stalledMs)
    },
    [Symbol.dispose]: () => clock.clearTimeout(timer),
  }
}
