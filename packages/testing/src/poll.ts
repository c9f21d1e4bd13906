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
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  options: PollOptions,
): Promise<T> => {
  const timeoutMs = options.timeoutMs ?? 10_000
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) {
      const reason = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`Waited ${timeoutMs} ms in vain for ${options.what}${reason}`, { cause })
    }
    await sleep(options.everyMs ?? 20)
  }
}
