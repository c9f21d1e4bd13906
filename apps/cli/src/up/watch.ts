import { setTimeout as sleep } from 'node:timers/promises'
import { failureOf, type LocalFailure } from '../core/failure.ts'

/** The end of a process is known a moment after the calls that it broke have failed. */
const CAUSE_MS = 1_000

/** Watches the processes of this run until it stops them itself. */
export class Watch {
  readonly #failed = new AbortController()
  /** Whether the end of a process is what was asked for. */
  isStopping = false
  /** Aborts with `Interrupted` when the run is asked to stop, or with the failure of a process that the rest needs. */
  readonly signal: AbortSignal

  constructor(stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#failed.signal])
  }

  /** Without this process the rest cannot go on. */
  needed(exited: Promise<string>, failure: (how: string) => LocalFailure): void {
    void exited.then((how) => {
      if (!this.isStopping) this.#failed.abort(failure(how))
    })
  }

  /** Without this process the rest goes on; its end is told. */
  told(exited: Promise<string>, tell: (how: string) => void): void {
    void exited.then((how) => {
      if (!this.isStopping) tell(how)
    })
  }

  /** The work, unless a process that it needs ends before. */
  async orFailure<T>(work: Promise<T>): Promise<T> {
    using failed = rejection(this.#failed.signal)
    return await Promise.race([work, failed.promise])
  }

  /** Throws the signal's reason when it aborts. */
  async untilAborted(): Promise<never> {
    using aborted = rejection(this.signal)
    return await aborted.promise
  }

  /** What was thrown, or what made it fail: a stop, or the end of a process. */
  async causeOf(thrown: unknown): Promise<unknown> {
    const { code } = failureOf(thrown)
    if (code !== 'local' && code !== 'usage') await sleep(CAUSE_MS, undefined, { signal: this.signal }).catch(() => {})
    return this.signal.aborted ? this.signal.reason : thrown
  }
}

/** Rejects with the signal's reason until it is disposed. */
const rejection = (signal: AbortSignal): { promise: Promise<never> } & Disposable => {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  const abort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  return { promise, [Symbol.dispose]: () => signal.removeEventListener('abort', abort) }
}
