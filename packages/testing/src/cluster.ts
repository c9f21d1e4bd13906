import { poll } from './poll.ts'
import { startRedis, type RedisProcess } from './redis.ts'

/** Shape of the cluster. */
export interface StartClusterOptions {
  /** Cluster mode needs 3 to elect by majority. @default 3 */
  primaries?: number
  /** @default 0 */
  replicasPerPrimary?: 0 | 1
  /** `cluster-node-timeout` in milliseconds: a dead primary is replaced after about twice that. @default 2000 */
  nodeTimeoutMs?: number
  /** `cluster-require-full-coverage`: false lets the members left serve their slots when others have died. @default true */
  fullCoverage?: boolean
}

/** One member, with the role that it had when the cluster was made. */
export interface ClusterNode {
  readonly role: 'primary' | 'replica'
  readonly port: number
  /** Its 40 hexadecimal digits in CLUSTER NODES. */
  readonly nodeId: string
  /** Of a replica: the node id of its first primary. */
  readonly primaryId: string | undefined
  readonly process: RedisProcess
}

/** A real cluster. Dispose to kill all its members. */
export interface RedisCluster extends AsyncDisposable {
  /** Primaries first, in the order of their slots, then their replicas in the same order. */
  readonly nodes: readonly ClusterNode[]
  /** Kills the i-th of the first primaries with SIGKILL. */
  killPrimary(index: number): void
}

const SLOTS = 16_384

/** Makes a cluster by CLUSTER MEET, ADDSLOTSRANGE and REPLICATE, and waits until every member finds it whole and every replica in step. */
export const startCluster = async (options: StartClusterOptions = {}): Promise<RedisCluster> => {
  const primaries = options.primaries ?? 3
  const count = primaries * (1 + (options.replicasPerPrimary ?? 0))
  const timeout = String(options.nodeTimeoutMs ?? 2_000)
  const coverage = options.fullCoverage === false ? 'no' : 'yes'
  const args = Object.entries({
    'cluster-enabled': 'yes',
    'cluster-node-timeout': timeout,
    'cluster-require-full-coverage': coverage,
    'repl-diskless-sync-delay': '0',
  }).flatMap(([name, value]) => [`--${name}`, value])

  await using starting = new AsyncDisposableStack()
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => startRedis({ args })))
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') starting.use(outcome.value)
  const processes = outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
  const ids = await Promise.all(processes.map(async (process) => String(await process.command('CLUSTER', 'MYID'))))
  const nodes = processes.map((process, index): ClusterNode => {
    const nodeId = ids[index] ?? ''
    return index < primaries
      ? { role: 'primary', port: process.port, nodeId, primaryId: undefined, process }
      : { role: 'replica', port: process.port, nodeId, primaryId: ids[index - primaries], process }
  })
  await join(nodes, primaries)
  const started = starting.move()
  return {
    nodes,
    killPrimary: (index) => {
      const node = index < primaries ? nodes[index] : undefined
      if (node === undefined) throw new Error(`The cluster has no primary ${index}`)
      node.process.kill('SIGKILL')
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const join = async (nodes: readonly ClusterNode[], primaries: number): Promise<void> => {
  const [seed, ...others] = nodes
  if (seed === undefined) throw new Error('A cluster needs at least one primary')
  for (const [index, { process }] of nodes.slice(0, primaries).entries()) {
    const first = Math.floor((index * SLOTS) / primaries)
    const last = Math.floor(((index + 1) * SLOTS) / primaries) - 1
    await process.command('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last))
    // Distinct epochs from the start, or the members quarrel for a few seconds about which of them counts.
    await process.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  }
  for (const { port } of others) await seed.process.command('CLUSTER', 'MEET', '127.0.0.1', String(port))

  const knowAll = async ({ process }: ClusterNode): Promise<boolean> => {
    const lines = String(await process.command('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
    return nodes.every(({ nodeId }) => lines.some((line) => line.startsWith(nodeId) && !line.includes('handshake')))
  }
  const all = (what: string, check: (node: ClusterNode) => Promise<boolean>): Promise<unknown> =>
    Promise.all(nodes.map((node) => poll(() => check(node), { what: `port ${node.port} ${what}`, timeoutMs: 30_000 })))

  await all('to know all members', knowAll)
  for (const { process, primaryId } of nodes) {
    if (primaryId !== undefined) await process.command('CLUSTER', 'REPLICATE', primaryId)
  }
  await all('to find the cluster whole', async ({ process }) =>
    String(await process.command('CLUSTER', 'INFO')).includes('cluster_state:ok'),
  )
  await all('to be linked', async ({ role, process }) => {
    const info = String(await process.command('INFO', 'replication'))
    return role === 'primary' ? info.includes('role:master') : info.includes('master_link_status:up')
  })
  await all('to see the others in their roles', async ({ process }) => {
    const lines = String(await process.command('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
    return nodes.every(({ nodeId, role }) =>
      lines.some((line) => line.startsWith(nodeId) && line.includes(role === 'primary' ? 'master' : 'slave')),
    )
  })
}
