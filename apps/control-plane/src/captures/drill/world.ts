import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SondeClient } from '@sonde/client'
import {
  guardProcess,
  openStage,
  poll,
  startCluster,
  startDaemon,
  startFaultProxy,
  startPostgres,
  type ClusterNode,
  type DaemonProcess,
  type EmbeddedPostgres,
  type FaultProxy,
  type RedisCluster,
  type Stage,
} from '@sonde/testing'
import { createAcknowledged, type Acknowledged } from './acknowledged.ts'

/** A primary, its replica, and the daemon that reads both. */
export interface Shard {
  servers: readonly [ClusterNode, ClusterNode]
  /** Which of the two has the slots; the replica once the primary was killed. */
  primary: ClusterNode
  readonly daemon: DaemonProcess
  /** Starts the daemon again, after it was killed. */
  restartDaemon(): Promise<void>
}

/** All that is captured, captures, and can be broken. Dispose to end and delete it. */
export interface World extends AsyncDisposable {
  stage: Stage
  cluster: RedisCluster
  shards: readonly Shard[]
  /** Between daemons and control plane. */
  proxy: FaultProxy
  acknowledged: Acknowledged
  /** The operator, who is not behind the proxy. */
  rpc: SondeClient['rpc']
  readonly postgres: EmbeddedPostgres
  /** Starts it again, after it was killed. */
  restartPostgres(): Promise<void>
}

const SHARDS = 3
/** A primary that is stopped for a while is not replaced. */
const NODE_TIMEOUT_MS = 5_000

/** Six servers, three daemons with two of them each, a control plane behind a proxy, and PostgreSQL with settings of production. */
export const openWorld = async (): Promise<World> => {
  await using starting = new AsyncDisposableStack()
  const cluster = starting.use(
    await startCluster({
      primaries: SHARDS,
      replicasPerPrimary: 1,
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      fullCoverage: false,
    }),
  )
  const stage = starting.use(await openStage())
  let { postgres } = stage
  // The control plane before its database, which may be another process by then.
  starting.defer(() => postgres[Symbol.asyncDispose]())
  starting.defer(() => stage.server[Symbol.asyncDispose]())
  const acknowledged = createAcknowledged()
  const target = { port: Number(new URL(stage.server.url).port) }
  const proxy = starting.use(
    await startFaultProxy(target, undefined, (bytes, connection) => acknowledged.read(bytes, connection)),
  )
  const home = await mkdtemp(join(tmpdir(), 'sonde-drill-'))
  starting.defer(() => rm(home, { recursive: true, force: true }))
  const client = createClient({ url: stage.server.url, token: stage.owner.token })
  starting.defer(() => client[Symbol.asyncDispose]())
  const shards: Shard[] = []
  for (const primary of cluster.nodes.slice(0, SHARDS)) {
    const replica = cluster.nodes.find(({ primaryId }) => primaryId === primary.nodeId)
    if (!replica) throw new Error(`The primary on port ${primary.port} has no replica`)
    const { sessionId } = stage.owner
    const name = `drill ${primary.port}`
    const { token } = await client.rpc.tokens.create.mutate({ kind: 'node', sessionId, name })
    const url = `http://127.0.0.1:${proxy.port}`
    const shard = await startShard([primary, replica], { url, token, stateDir: join(home, String(primary.port)) })
    starting.defer(() => shard.daemon[Symbol.asyncDispose]())
    shards.push(shard)
  }
  const world = starting.move()
  return {
    stage,
    cluster,
    shards,
    proxy,
    acknowledged,
    rpc: client.rpc,
    get postgres() {
      return postgres
    },
    restartPostgres: async () => {
      const { dataDir, port } = postgres
      postgres = await startPostgres({ dataDir, port, durable: true })
      guardProcess(postgres.pid, { signal: 'SIGQUIT' })
    },
    [Symbol.asyncDispose]: () => world.disposeAsync(),
  }
}

const startShard = async (
  servers: readonly [ClusterNode, ClusterNode],
  place: { url: string; token: string; stateDir: string },
): Promise<Shard> => {
  const sources = servers.flatMap(({ process }) => ['--target', process.url])
  const start = () => startDaemon({ ...place, sources })
  let daemon = await start()
  return {
    servers,
    primary: servers[0],
    get daemon() {
      return daemon
    },
    restartDaemon: async () => {
      daemon = await start()
    },
  }
}

/** Starts one capture of all six servers and waits until each is read. */
export const startCapture = async ({ rpc, stage, cluster }: World, durationMs: number): Promise<string> => {
  const { sessionId } = stage.owner
  const targetIds = await poll(
    async () => {
      const { targets } = await rpc.targets.list.query({ sessionId })
      const ids = cluster.nodes.flatMap(({ port }) => targets.find((target) => target.port === port)?.id ?? [])
      return ids.length === cluster.nodes.length && ids
    },
    { what: 'all servers to be declared', timeoutMs: 30_000 },
  )
  const scope = { kind: 'targets', targetIds } as const
  const caps = { durationMs, byteCap: 2 ** 30, lineCap: 50_000_000 }
  // A server that has not been looked at yet counts as one that cannot be reached.
  const { capture } = await poll(() => rpc.captures.start.mutate({ sessionId, scope, require: 'all', ...caps }), {
    what: 'a capture of all servers',
    everyMs: 500,
    timeoutMs: 30_000,
  })
  const isRead = async () => {
    const { segments } = await rpc.captures.get.query({ id: capture.id })
    return segments.every(({ status }) => status === 'running')
  }
  await poll(isRead, { what: 'all segments to run', timeoutMs: 20_000 })
  return capture.id
}
