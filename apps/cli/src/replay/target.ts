import { createClient, createCluster, ErrorReply } from '@redis/client'
import { LocalFailure, UsageError } from '../core/failure.ts'
import type { ReplayCommand } from './classify.ts'

/** The server, or the cluster, that a capture is replayed to. */
export interface ReplayTarget extends AsyncDisposable {
  readonly isCluster: boolean
  /** Sends a command behind all that were sent before on its database or to its cluster member. Rejects with the server's `ErrorReply`, or when the connection is lost. */
  send(command: ReplayCommand): Promise<unknown>
}

const CONNECT_MS = 5_000

/** Checks `redis://[user:password@]host[:port]` or `rediss://`, for TLS. Throws a UsageError that does not have the password. */
export const parseTargetUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^\/?$/.test(url.pathname))
    return url
  throw new UsageError(
    '--to is redis://[user:password@]host[:port], or rediss:// for TLS; databases are those of the capture.',
  )
}

/** What a person may see of it. */
export const addressOf = (url: URL): string => `${url.hostname}:${url.port || 6379}`

const socketOf = (url: URL) => {
  const common = { connectTimeout: CONNECT_MS, reconnectStrategy: false as const }
  return url.protocol === 'rediss:' ? { ...common, tls: true as const } : common
}

/** Connects; what is a cluster is found out. A connection that is lost is not made again: half a replay is worth nothing. */
export const openTarget = async (url: URL): Promise<ReplayTarget> => {
  const failed = (cause: unknown): LocalFailure =>
    new LocalFailure(`${addressOf(url)} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  const held = new AsyncDisposableStack()
  const open = async (db: number) => {
    const client = createClient({ url: url.href, socket: socketOf(url), database: db, disableOfflineQueue: true })
    // Told by the commands that fail.
    client.on('error', () => {})
    held.defer(() => client.destroy())
    await client.connect()
    return client
  }
  try {
    const first = await open(0)
    const isCluster = /cluster_enabled:1/.test(await first.info('cluster'))
    const send = isCluster ? await clusterSender(url, held) : serverSender(first, open)
    return { isCluster, send, [Symbol.asyncDispose]: () => held.disposeAsync() }
  } catch (cause) {
    await held.disposeAsync()
    throw failed(cause)
  }
}

type Client = Pick<ReturnType<typeof createClient>, 'sendCommand'>

/** One connection a database, so that the order is that of the capture. */
const serverSender = (first: Client, open: (db: number) => Promise<Client>): ReplayTarget['send'] => {
  const clients = new Map<number, Promise<Client>>([[0, Promise.resolve(first)]])
  const clientOf = (db: number): Promise<Client> => {
    const known = clients.get(db) ?? open(db)
    clients.set(db, known)
    return known
  }
  return async ({ db, args }) => await (await clientOf(db)).sendCommand(args)
}

const clusterSender = async (url: URL, held: AsyncDisposableStack): Promise<ReplayTarget['send']> => {
  const { username, password } = url
  const cluster = createCluster({
    rootNodes: [{ url: url.href, socket: socketOf(url) }],
    defaults: {
      socket: socketOf(url),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
    },
  })
  cluster.on('error', () => {})
  held.defer(() => cluster.destroy())
  await cluster.connect()
  return ({ firstKey, args }) => cluster.sendCommand(firstKey, false, args)
}

/** The kind of a server's error, such as `WRONGTYPE`: never its words, which may have values in them. Undefined: no answer of a server. */
export const errorKind = (error: unknown): string | undefined => {
  if (!(error instanceof ErrorReply)) return undefined
  return /^([A-Z][A-Z0-9_]{1,31})(?: |$)/.exec(error.message)?.[1] ?? 'ERR'
}
