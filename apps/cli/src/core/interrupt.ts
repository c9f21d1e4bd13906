import { ExitCode, Interrupted } from './failure.ts'

let controller: AbortController | undefined

/** npm and npx pass on the Ctrl-C that the terminal has sent already, so each arrives twice. */
export const SAME_SIGNAL_MS = 1_000

/**
 * Aborts with `Interrupted` at the first SIGINT or SIGTERM, so that a command can put things in order; a second one ends
 * the process. A command that never asks keeps the usual behaviour, to end at once.
 */
export const interruptSignal = (): AbortSignal => {
  if (controller !== undefined) return controller.signal
  const made = new AbortController()
  controller = made
  let since = 0
  const interrupt = (): void => {
    const now = performance.now()
    if (made.signal.aborted) {
      if (now - since > SAME_SIGNAL_MS) process.exit(ExitCode.interrupted)
      return
    }
    since = now
    made.abort(new Interrupted())
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return made.signal
}
