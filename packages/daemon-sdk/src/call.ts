import { callErrorOf } from '@sonde/client'
import { ERRORS, SondeError, type Clock } from '@sonde/contracts'

/** What the log of an SDK part takes; pino's loggers fit. */
export interface SdkLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export const SILENT: SdkLog = { info: () => undefined, warn: () => undefined }

/** Time given to a call that has no bound of its own, in milliseconds. */
export const CALL_TIMEOUT_MS = 10_000

/** What a failed call means for the slot. `transport`: nothing is decided, try again. */
export type Failure = 'transport' | 'conflict' | 'readOnly' | 'fenced' | 'refused'

/**
 * Sorts an error by what it means for the slot; the server's own troubles (5xx) decide nothing, nor does a token that has
 * ended: the next beat tells whether there is another.
 */
export const failureOf = (error: SondeError): Failure => {
  const { code } = error
  if (isAboutToken(error)) return 'transport'
  if (code === 'runtimenode.attach_conflict') return 'conflict'
  if (code === 'runtimenode.fenced') return 'fenced'
  if (code === 'version.floor_exceeded') return 'readOnly'
  return ERRORS[code].retryable || ERRORS[code].http >= 500 ? 'transport' : 'refused'
}

/** Whether the token is at fault: it has ended, unless it never was one. */
export const isAboutToken = ({ code }: SondeError): boolean =>
  code === 'auth.token_expired' || code === 'auth.token_invalid'

/** Whether a refusal can mean that the slot is gone, which only a beat tells for certain. */
export const isAboutSlot = ({ code }: SondeError): boolean =>
  code === 'runtimenode.fenced' || code === 'runtimenode.permission_denied'

/** Runs one call under a time limit. Throws a `SondeError`; `control_plane.unreachable` when the time is over. */
export const callWithin = async <T>(
  clock: Clock,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const over = new AbortController()
  const timer = clock.setTimeout(() => over.abort(), timeoutMs)
  try {
    return await call(over.signal)
  } catch (error) {
    throw callErrorOf(error)
  } finally {
    clock.clearTimeout(timer)
  }
}

/** Resolves after `ms`, or as soon as the signal aborts. */
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
