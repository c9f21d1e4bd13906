import { setTimeout as sleep } from 'node:timers/promises'
import { CaptureStatus, type Capture } from '@sonde/contracts'
import { captureProgress } from './capture-view.ts'
import type { Connection } from './core/connect.ts'
import { LiveLines } from './print/live-lines.ts'

export interface FollowOptions {
  connection: Pick<Connection, 'call'>
  signal: AbortSignal
  /** Draw the progress of every segment on a terminal. */
  show: boolean
  /** Called with each state that was read, also without a terminal. */
  onProgress?: (capture: Capture) => void
}

/** Segments report once a second; twice as often shows each report once, and soon. */
const LOOK_MS = 500

/** Waits for the end of a capture and returns it. Throws the signal's reason when that comes first. */
export const followCapture = async (id: string, options: FollowOptions): Promise<Capture> => {
  const { connection, signal, show } = options
  using live = new LiveLines(process.stderr)
  let before: { capture: Capture; at: number } | undefined
  for (;;) {
    signal.throwIfAborted()
    const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
    const at = performance.now()
    options.onProgress?.(capture)
    if (capture.status !== CaptureStatus.running) return capture
    const elapsedMs = before === undefined ? 0 : at - before.at
    if (show) live.draw(captureProgress(capture, before?.capture, { elapsedMs, now: Date.now() }))
    if (before === undefined || elapsedMs >= 2 * LOOK_MS) before = { capture, at }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
