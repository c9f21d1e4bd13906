import { Interrupted } from '../core/failure.ts'
import { SAME_SIGNAL_MS } from '../core/interrupt.ts'

const LOOK_MS = 1_000

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP; `atOnce` is called at a second one, more than a second later. SIGTERM sent to npm ends npm alone, so
 * under npm the end of the parent counts as a signal too.
 */
export const stopSignal = (atOnce: () => void): AbortSignal => {
  const controller = new AbortController()
  let since = 0
  const stop = (): void => {
    const now = performance.now()
    if (controller.signal.aborted) {
      if (now - since > SAME_SIGNAL_MS) atOnce()
      return
    }
    since = now
    controller.abort(new Interrupted())
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop)
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(watch)
      stop()
    }, LOOK_MS)
    watch.unref()
  }
  return controller.signal
}
