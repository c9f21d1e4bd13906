import { Worker } from 'node:worker_threads'
import type { Clock } from '@sonde/contracts'
import { createControlLane } from './control-lane.ts'
import type { FromLane, LaneSettings, ToLane } from './lane-messages.ts'

/** The way to a lane, wherever it runs. */
export interface LanePort {
  post(message: ToLane): void
  /** Ends what is left of it. */
  close(): Promise<void>
}

export interface LaneListener {
  onMessage: (message: FromLane) => void
  /** The lane is gone though it was not closed. Told once, after the last message. */
  onFailed: (error: Error) => void
}

/** Opens a lane in this thread. */
export const openInlineLane = (
  settings: LaneSettings,
  { onMessage }: LaneListener,
  { clock, random }: { clock: Clock; random: () => number },
): LanePort => {
  const lane = createControlLane({ settings, clock, random, tell: onMessage })
  return { post: (message) => lane.take(message), close: () => Promise.resolve() }
}

/** Opens a lane in a thread of its own. */
export const openWorkerLane = (settings: LaneSettings, { onMessage, onFailed }: LaneListener): LanePort => {
  const worker = new Worker(new URL('./lane-worker.ts', import.meta.url), {
    name: 'sonde-lane',
    workerData: settings,
    // Flags of the daemon, an inspector's port for one, are not meant for a second thread.
    execArgv: [],
  })
  let isClosed = false
  let failure: Error | undefined
  worker.on('message', (message: FromLane) => {
    if (message.kind === 'ended') isClosed = true
    onMessage(message)
  })
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error))
  })
  worker.on('exit', (code) => {
    if (!isClosed) onFailed(failure ?? new Error(`The lane's thread ended with code ${code}.`))
  })
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    post: (message) => worker.postMessage(message),
    close: async () => {
      isClosed = true
      await worker.terminate()
    },
  }
}
