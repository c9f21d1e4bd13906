import { fileURLToPath } from 'node:url'
import { failureOf } from '../core/failure.ts'
import { plainText } from '../print/plain-text.ts'
import { startChild } from './child.ts'
import type { Processes } from './processes.ts'
import { primaryDaemons, programName, syntheticDaemons, type DaemonSources, type Source } from './sources.ts'
import type { Watch } from './watch.ts'

export interface StartedSource {
  description: string
  /** What each daemon reads. */
  daemons: DaemonSources[]
}

interface StartSourceOptions {
  dataDir: string
  processes: Processes
  stack: AsyncDisposableStack
  watch: Watch
  say: (line: string) => void
}

const READY_MS = 60_000
const CLUSTER_MAIN = fileURLToPath(new URL('./own-cluster.ts', import.meta.url))
const WORKLOAD_MAIN = fileURLToPath(new URL('./workload.ts', import.meta.url))

/** Starts what the daemons will read. Own servers that do not start are replaced by synthetic traffic, and that is told. */
export const startSource = async (source: Source, options: StartSourceOptions): Promise<StartedSource> => {
  switch (source.kind) {
    case 'given':
      return { description: 'those that you named', daemons: source.daemons }
    case 'synthetic':
      return synthetic('no valkey-server or redis-server found on PATH')
    case 'own cluster':
      try {
        return await startOwnCluster(source.server, options)
      } catch (error) {
        options.watch.signal.throwIfAborted()
        const { message, lines } = failureOf(error)
        return synthetic(plainText(`${programName(source.server)}: ${lines?.at(-1) ?? message}`))
      }
  }
}

const synthetic = (why: string): StartedSource => ({
  description: `synthetic traffic (${why})`,
  daemons: syntheticDaemons(),
})

const startOwnCluster = async (server: string, options: StartSourceOptions): Promise<StartedSource> => {
  const { dataDir, processes, watch, say } = options
  const { signal } = watch
  const program = programName(server)
  await using starting = new AsyncDisposableStack()
  // Its servers end with it, unless it was killed together with their guard.
  const members: Member[] = []
  starting.defer(() => members.forEach(({ pid }) => processes.end(pid)))
  const cluster = starting.use(startChild({ name: 'own cluster', main: CLUSTER_MAIN, dataDir, processes }))
  cluster.onMessage('server ended', (message) => {
    if (!watch.isStopping) say(`${program} ${serverEnd(message)}`)
  })
  const { servers } = await cluster.message('ready', { signal, timeoutMs: READY_MS })
  if (!areServers(servers)) throw cluster.failure('named no servers')
  members.push(...servers)
  for (const { pid } of members) processes.add(program, pid)
  const ports = members.map(({ port }) => port)
  const workload = starting.use(
    startChild({ name: 'workload', main: WORKLOAD_MAIN, args: ports.map(String), dataDir, processes }),
  )
  await workload.message('ready', { signal, timeoutMs: READY_MS })
  watch.told(cluster.exited, (how) =>
    say(`The own cluster ended (${how}) with its servers. Its log: ${cluster.logPath}`),
  )
  watch.told(workload.exited, (how) =>
    say(`The workload ended (${how}); the rest goes on, without new traffic. Its log: ${workload.logPath}`),
  )
  const started = starting.move()
  options.stack.use(started)
  return {
    description: `a cluster of three ${program} (ports ${ports.join(', ')}) with a workload`,
    daemons: primaryDaemons(ports),
  }
}

/** A member without a majority of the others serves nobody, so the workload needs one. */
const serverEnd = ({ port, how, left, majority }: Record<string, unknown>): string =>
  `on port ${String(port)} ended (${String(how)}); ${
    Number(left) >= Number(majority)
      ? `the workload goes on with the other ${String(left)}`
      : 'the workload stands still, since a cluster needs most of its members. Ctrl-C and a new start bring it back'
  }`

interface Member {
  port: number
  pid: number
}

const areServers = (value: unknown): value is Member[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(({ port, pid }: Record<string, unknown>) => Number.isInteger(port) && Number.isInteger(pid))
