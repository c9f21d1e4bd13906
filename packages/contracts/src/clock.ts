/** A pending timer of a {@link Clock}; opaque. */
export type TimerHandle = ReturnType<typeof globalThis.setTimeout> | number

/** Where time comes from, so that a test can move it. */
export interface Clock {
  /** Milliseconds since 1970; can jump. For what is stored or shown. */
  now(): number
  /** Milliseconds since an arbitrary moment; never goes back. For ages, timeouts and rates. */
  monotonicMs(): number
  /** Calls `fn` once after `ms` milliseconds. */
  setTimeout(fn: () => void, ms: number): TimerHandle
  /** Cancels a timer; a handle that has fired or is absent is ignored. */
  clearTimeout(handle: TimerHandle | undefined): void
}

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (fn, ms) => globalThis.setTimeout(fn, ms),
  clearTimeout: (handle) => globalThis.clearTimeout(handle),
}
