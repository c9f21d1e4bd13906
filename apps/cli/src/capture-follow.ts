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
/** Rates are means over so long, or they would jump between reports. */
const RATE_MS = 3_500

/** Waits for the end of a capture and returns it. Throws the signal's reason when that comes first. */
export const followCapture = async (id: string, options: FollowOptions): Promise<Capture> => {
  const { connection, signal, show } = options
  using live = new LiveLines(process.stderr)
  const seen: { capture: Capture; at: number }[] = []
  for (;;) {
    signal.throwIfAborted()
    const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
    const at = performance.now()
    options.onProgress?.(capture)
    if (capture.status !== CaptureStatus.running) return capture
    while (seen[0] !== undefined && at - seen[0].at > RATE_MS) seen.shift()
    const [before] = seen
    seen.push({ capture, at })
    const elapsedMs = before === undefined ? 0 : at - before.at
    if (show) live.draw(captureProgress(capture, before?.capture, { elapsedMs, now: Date.now() }))
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
