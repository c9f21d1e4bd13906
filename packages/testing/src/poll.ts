import { setTimeout as sleep } from 'node:timers/promises'

/** How to wait: what for (named in the error), how often to look and how long, in milliseconds. */
export interface PollOptions {
  what: string
  /** @default 20 */
  everyMs?: number
  /** @default 10_000 */
  timeoutMs?: number
}

/**
 * Looks until `probe` gives something else than `undefined` or `false`, and returns that. Throws when the time is over, with the
 * last error of the probe as cause; a probe that throws is tried again.
 */
export const poll = async <T>(
  probe: () => T | Promise<T>,
  options: PollOptions,
): Promise<Exclude<T, undefined | false>> => {
  const deadline = performance.now() + (options.timeoutMs ?? 10_000)
  for (;;) {
    let cause: unknown
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) {
      const reason = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`Waited ${options.timeoutMs ?? 10_000} ms in vain for ${options.what}${reason}`, { cause })
    }
    await sleep(options.everyMs ?? 20)
  }
}
