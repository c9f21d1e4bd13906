import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '@sonde/contracts'
import { createControlLane } from './control-lane.ts'
import type { FromLane, LaneSettings, ToLane } from './lane-messages.ts'
import { createStallWatch } from './stall-watch.ts'

/** The thread of a lane: it passes messages on, and watches whether the thread that owns the node still answers. */
if (!parentPort) throw new Error('This file runs as a worker thread. Call createRuntimeNode instead.')
const owner = parentPort
const settings = workerData as LaneSettings

/** Straight to the file: the owner's log, and this thread's own stderr, both pass through the thread that does not answer. */
const complain = (stalledMs: number): void => {
  const { nodeId } = settings.identity
  const fields = { level: 40, time: Date.now(), code: 'main_loop_stalled', nodeId, stalledMs: Math.round(stalledMs) }
  try {
    writeSync(
      2,
      `${JSON.stringify({ ...fields, msg: 'the main thread does not answer; beats go on, commands wait' })}\n`,
    )
  } catch {
    // Nobody reads it, or not fast enough: beats matter more.
  }
}
const tell = (message: FromLane): void => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  owner.postMessage(message)
  if (message.kind !== 'ended') return
  watch[Symbol.dispose]()
  owner.close()
}

const watch = createStallWatch({
  clock: systemClock,
  ping: () => tell({ kind: 'ping' }),
  onLong: complain,
  onOver: (stalledMs) => tell({ kind: 'event', name: 'mainLoopStalled', event: { stalledMs: Math.round(stalledMs) } }),
})
const lane = createControlLane({ settings, clock: systemClock, random: Math.random, tell })

owner.on('message', (message: ToLane) => {
  if (message.kind === 'pong') watch.pong()
  else lane.take(message)
})
