import { toSondeError, type Clock } from '@sonde/contracts'
import type { Logger } from 'pino'

export interface LoopOptions {
  name: string
  /** Milliseconds from the end of one run to the start of the next; a run may ask for an earlier one. */
  intervalMs: number
  signal: AbortSignal
  clock: Clock
  log: Logger
  /** May return the milliseconds until it wants to run again. */
  work: () => Promise<number | void>
}

/** Resolves after `ms`, or at once when the signal aborts. */
export const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clock.clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })

/**
 * Runs `work` again and again until the signal aborts: a pause after each completion, never two at once. A run that
 * throws is logged and the loop goes on. The pause is shortened by up to a tenth, so that replicas do not march in step.
 */
export const loop = async (options: LoopOptions): Promise<void> => {
  const { name, intervalMs, signal, clock, log, work } = options
  while (!signal.aborted) {
    let next: number | void = undefined
    try {
      next = await work()
    } catch (error) {
      if (signal.aborted) return
      log.error(
        { loop: name, code: toSondeError(error).code, err: error },
        'a background run failed; it will run again',
      )
    }
    const wait = Math.min(intervalMs, next ?? intervalMs)
    await pause(clock, wait * (1 - Math.random() * 0.1), signal)
  }
}
