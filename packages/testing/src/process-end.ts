import type { ChildProcess } from 'node:child_process'

/** How a process ended: the one or the other; both are null where nobody could tell. */
export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
}

/** Resolves when a child has ended, with all of its output read if `event` is `close`. One that could not be started has neither code nor signal. */
export const endOf = (child: ChildProcess, event: 'exit' | 'close'): Promise<ProcessEnd> =>
  new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once(event, (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }))
  })
