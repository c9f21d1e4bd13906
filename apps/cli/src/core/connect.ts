import { SondeError, uuidSchema } from '@sonde/contracts'
import { callErrorOf, createClient, type SondeClient } from '@sonde/client'
import { UsageError } from './failure.ts'
import { loadSettings, type ConnectionFlags, type Settings } from './settings.ts'

type Rpc = SondeClient['rpc']

/** A connection of one command. Dispose to close it. */
export interface Connection extends AsyncDisposable {
  readonly settings: Settings
  readonly rpc: Rpc
  /** Makes a call; fails with a `SondeError`, also when the connection stays lost. */
  call<T>(work: (rpc: Rpc) => Promise<T>): Promise<T>
  /** Rejects when the connection has been down for {@link LOST_MS}. */
  readonly lost: Promise<never>
  /** Id of the session in use: the one named, else the caller's oldest. */
  sessionId(): Promise<string>
}

/** A deploy of the control plane takes less; past it a person should know. */
const LOST_MS = 30_000
const ANSWER_MS = 5_000
const CLOSE_MS = 500

const unreachable = (url: string, cause?: unknown): SondeError =>
  new SondeError('control_plane.unreachable', {
    message: `No control plane answers at ${url}. Start one with "npm start", or name another with --url or SONDE_URL.`,
    cause,
  })

/**
 * One plain request first: the socket tries for ever, and a wrong address should be told at once. Throws
 * `control_plane.unreachable`, also when something else answers there.
 */
export const assertReachable = async (url: string, signal?: AbortSignal): Promise<void> => {
  const timeout = AbortSignal.timeout(ANSWER_MS)
  const limit = signal === undefined ? timeout : AbortSignal.any([timeout, signal])
  let answer: Response
  let body: unknown
  try {
    answer = await fetch(`${url}/livez`, { signal: limit, redirect: 'manual' })
    body = await answer.json().catch(() => undefined)
  } catch (cause) {
    signal?.throwIfAborted()
    throw unreachable(url, cause)
  }
  if (body !== null && typeof body === 'object' && 'live' in body) return
  const { origin, pathname } = new URL(url)
  const advice = pathname === '/' ? 'Is the address right?' : `Leave out the path: ${origin}`
  throw new SondeError('control_plane.unreachable', {
    message: `What answers at ${url} is no control plane (HTTP ${answer.status} to ${pathname.replace(/\/$/, '')}/livez). ${advice}`,
  })
}

/** Connects with the settings of flags, environment and cli.json. Throws `control_plane.unreachable`, `auth.token_missing`. */
export const connect = (flags: ConnectionFlags): Promise<Connection> => connectTo(loadSettings(flags))

/** Connects to a known place. Throws `control_plane.unreachable`, `auth.token_missing`. */
export const connectTo = async (settings: Settings): Promise<Connection> => {
  const { url, token } = settings
  await assertReachable(url)
  if (token === undefined) {
    throw new SondeError('auth.token_missing', {
      message: `There is no token for ${url}. Set SONDE_TOKEN or --token; "sonde token create" with DATABASE_URL makes one.`,
    })
  }
  const { promise: lost, reject } = Promise.withResolvers<never>()
  lost.catch(() => {})
  let giveUp: NodeJS.Timeout | undefined
  const startWaiting = (): void => {
    giveUp ??= setTimeout(() => reject(unreachable(url)), LOST_MS)
  }
  const client = createClient({
    url,
    token,
    onOpen: () => {
      clearTimeout(giveUp)
      giveUp = undefined
    },
    onClose: startWaiting,
  })
  startWaiting()

  const call = async <T>(work: (rpc: Rpc) => Promise<T>): Promise<T> => {
    try {
      return await Promise.race([work(client.rpc), lost])
    } catch (error) {
      throw callErrorOf(error)
    }
  }
  return {
    settings,
    rpc: client.rpc,
    call,
    lost,
    sessionId: () => resolveSession(settings.session, call),
    [Symbol.asyncDispose]: async () => {
      const closed = client[Symbol.asyncDispose]()
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())])
      clearTimeout(giveUp)
    },
  }
}

const resolveSession = async (wanted: string | undefined, call: Connection['call']): Promise<string> => {
  const id = uuidSchema.safeParse(wanted)
  if (id.success) return id.data
  const { sessions } = await call((rpc) => rpc.sessions.list.query({ limit: 200 }))
  const fitting = wanted === undefined ? sessions : sessions.filter(({ name }) => name === wanted)
  if (wanted !== undefined && fitting.length > 1) {
    throw new UsageError(`${fitting.length} sessions have that name. Give the id; "sonde session list" shows it.`)
  }
  const oldest = fitting.at(-1)
  if (oldest !== undefined) return oldest.id
  throw new SondeError('session.not_found', {
    message:
      wanted === undefined
        ? 'You are a member of no session. "sonde session create NAME" makes one.'
        : 'No session of yours has that id or name. "sonde session list" shows them.',
  })
}
