import { createCluster } from '@redis/client'
import { nextCommand } from './workload-mix.ts'

// Runs as a child of `sonde up`: about a thousand commands a second on the cluster whose ports are its arguments, for as
// long as the IPC channel is open.

const TICK_MS = 20
const COMMANDS_PER_TICK = 20

const cluster = createCluster({
  rootNodes: process.argv.slice(2).map((port) => ({ url: `redis://127.0.0.1:${port}` })),
  // A command for a member that is gone fails at once, or the others would wait for it.
  defaults: { disableOfflineQueue: true },
})
// The end of a member is told by who runs the cluster.
cluster.on('error', () => {})
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))

await cluster.connect()
process.send?.({ kind: 'ready' })
let running = false
setInterval(() => {
  // A slow cluster gets fewer commands, not a growing queue of them.
  if (running) return
  running = true
  const commands = Array.from({ length: COMMANDS_PER_TICK }, () => nextCommand(Math.random))
  void Promise.allSettled(commands.map(({ key, args }) => cluster.sendCommand(key, false, args))).then(() => {
    running = false
  })
}, TICK_MS)
