import { startCluster } from '@sonde/testing'
import { wordsForEnd } from './process-end.ts'

// Runs as a child of `sonde up`: three primaries of a real cluster, without persistence, for as long as the IPC channel
// is open. If this process is killed, a guard of the servers ends them.

const stopping = Promise.withResolvers<void>()
process.on('disconnect', () => stopping.resolve())
process.on('SIGTERM', () => stopping.resolve())

try {
  await using cluster = await startCluster({ primaries: 3, fullCoverage: false })
  const servers = cluster.nodes.map(({ port, process: { pid } }) => ({ port, pid }))
  let left = servers.length
  const majority = Math.floor(left / 2) + 1
  for (const { port, process: server } of cluster.nodes) {
    void server.exited.then((end) => {
      left -= 1
      if (process.connected) process.send?.({ kind: 'server ended', port, how: wordsForEnd(end), left, majority })
    })
  }
  if (process.connected) process.send?.({ kind: 'ready', servers })
  else stopping.resolve()
  await stopping.promise
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
process.exit()
