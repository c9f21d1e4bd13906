import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from '@sonde/contracts'
import type { Connection } from '../core/connect.ts'
import { LocalFailure } from '../core/failure.ts'
import { DAEMON_MAIN } from '../daemon.ts'
import { counted } from '../print/units.ts'
import { startChild, type Child } from './child.ts'
import { nodeName, nodeTokens, setAsideRevoked } from './node-tokens.ts'
import type { Owner } from './owner.ts'
import type { Processes } from './processes.ts'
import { sourceEnvironment, type DaemonSources } from './sources.ts'

export interface NodesOptions {
  owner: Owner
  connection: Connection
  dataDir: string
  processes: Processes
  signal: AbortSignal
  /** What each daemon reads. */
  daemons: readonly DaemonSources[]
}

/** The daemons of this run. Dispose to stop them all. */
export interface Nodes extends AsyncDisposable {
  readonly children: readonly Child[]
  readonly nodeIds: ReadonlySet<string>
  /** What they read: primaries, or when there is none, replicas. */
  readonly targets: readonly Target[]
}

const ONLINE_MS = 30_000
const LOOK_MS = 250

/** Starts the daemons and waits until each is online and its servers are known. Throws with the log of the first that is not. */
export const startNodes = async (options: NodesOptions): Promise<Nodes> => {
  const since = Date.now()
  await setAsideRevoked(options)
  const tokens = await nodeTokens({ ...options, count: options.daemons.length })
  await using stack = new AsyncDisposableStack()
  const children: Child[] = []
  // One call that stops all at the same time: a stack would do it one after the other.
  stack.defer(async () => {
    await Promise.all(children.map((child) => child[Symbol.asyncDispose]()))
  })
  for (const [index, sources] of options.daemons.entries()) {
    const name = nodeName(index)
    const { DATABASE_URL: _secret, ...env } = process.env
    children.push(
      startChild({
        name,
        title: `Daemon ${name}`,
        main: DAEMON_MAIN,
        args: ['--name', name],
        env: {
          ...env,
          ...sourceEnvironment(sources),
          SONDE_URL: options.owner.url,
          SONDE_TOKEN: tokens[index],
          SONDE_SESSION: options.owner.sessionId,
          SONDE_STATE_DIR: join(options.dataDir, name),
        },
        dataDir: options.dataDir,
        processes: options.processes,
      }),
    )
  }
  const { nodeIds, targets } = await untilOnline(options, children, since)
  const owned = stack.move()
  return { children, nodeIds, targets, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A node that attached before this run started is a memory of the run before. */
const untilOnline = async (
  options: NodesOptions,
  children: readonly Child[],
  since: number,
): Promise<Pick<Nodes, 'nodeIds' | 'targets'>> => {
  const { connection, signal, owner } = options
  const { sessionId } = owner
  const servers = options.daemons.reduce((sum, { targets, clusters }) => sum + targets.length + clusters.length, 0)
  const deadline = performance.now() + ONLINE_MS
  for (;;) {
    signal.throwIfAborted()
    const dead = children.find((child) => child.hasEnded)
    if (dead !== undefined) throw dead.failure(`did not start (${await dead.exited})`)
    const { nodes } = await connection.call((rpc) => rpc.runtimeNode.roster.query({ sessionId }))
    const ours = nodes.filter(
      ({ lastAttachedAt, schedulable }) => schedulable && Date.parse(lastAttachedAt) >= since - CLOCK_SLACK_MS,
    )
    const nodeIds = new Set(ours.map(({ nodeId }) => nodeId))
    const { targets } = await connection.call((rpc) => rpc.targets.list.query({ sessionId }))
    const reached = targets.filter((target) => target.nodeIds.some((id) => nodeIds.has(id)))
    const primaries = reached.filter(({ role }) => role === 'primary')
    const read = primaries.length > 0 ? primaries : reached
    const areOnline = ours.length >= children.length
    const haveDeclared = [...nodeIds].every((id) => reached.some((target) => target.nodeIds.includes(id)))
    if (areOnline && haveDeclared && reached.length >= servers) return { nodeIds, targets: read }
    if (performance.now() >= deadline) {
      if (areOnline && read.length > 0) return { nodeIds, targets: read }
      const [first] = children
      if (areOnline) {
        const advice = 'Can this machine reach and sign in to each of them?'
        const how = `is online, but no server can be read (${counted(servers, 'server')} to read)`
        throw first?.failure(how, advice) ?? new LocalFailure(advice)
      }
      const seen = `${ours.length} of ${children.length} nodes are online after ${ONLINE_MS / 1000} s`
      throw first?.failure(`is not ready: ${seen}`) ?? new LocalFailure(seen)
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/** The database may be on another machine. */
const CLOCK_SLACK_MS = 2_000
