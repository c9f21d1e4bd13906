import { startCluster } from '@sonde/testing'

// Runs as a child of `sonde up`: three primaries of a real cluster, without persistence, for as long as the IPC channel
// is open. If this process is killed, a guard of the servers ends them.

const stopping = Promise.withResolvers<void>()
process.on('disconnect', () => stopping.resolve())
process.on('SIGTERM', () => stopping.resolve())

try {
  await using cluster = await startCluster({ primaries: 3 })
  if (process.connected) process.send?.({ kind: 'ready', ports: cluster.nodes.map(({ port }) => port) })
  else stopping.resolve()
  await stopping.promise
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
process.exit()
