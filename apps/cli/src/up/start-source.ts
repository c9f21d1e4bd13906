import { fileURLToPath } from 'node:url'
import { failureOf } from '../core/failure.ts'
import { plainText } from '../print/plain-text.ts'
import { startChild } from './child.ts'
import type { Processes } from './processes.ts'
import { primaryDaemons, programName, syntheticDaemons, type Source } from './sources.ts'

export interface StartedSource {
  description: string
  /** Arguments of each daemon. */
  daemons: string[][]
}

interface StartSourceOptions {
  dataDir: string
  processes: Processes
  stack: AsyncDisposableStack
  signal: AbortSignal
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
        options.signal.throwIfAborted()
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
  const { dataDir, processes, signal } = options
  await using starting = new AsyncDisposableStack()
  const cluster = starting.use(startChild({ name: 'own cluster', main: CLUSTER_MAIN, dataDir, processes }))
  const { ports } = await cluster.message('ready', { signal, timeoutMs: READY_MS })
  if (!isPorts(ports)) throw cluster.failure('named no ports')
  const workload = starting.use(
    startChild({ name: 'workload', main: WORKLOAD_MAIN, args: ports.map(String), dataDir, processes }),
  )
  await workload.message('ready', { signal, timeoutMs: READY_MS })
  const started = starting.move()
  options.stack.use(started)
  return {
    description: `a cluster of three ${programName(server)} (ports ${ports.join(', ')}) with a workload`,
    daemons: primaryDaemons(ports),
  }
}

const isPorts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((port) => Number.isInteger(port))
