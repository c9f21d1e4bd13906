import { Socket } from 'node:net'
import { systemClock, type Clock, type TimerHandle } from '@sonde/contracts'
import { Client, escapeIdentifier } from 'pg'

/** What to listen to, and whom to tell. */
export interface ListenOptions {
  url: string
  channel: string
  onNotify: (payload: string) => void
  /** Told of every change. Whatever was notified while disconnected is lost: on `connected` read what may have been missed. */
  onState?: (state: 'connected' | 'disconnected') => void
  signal?: AbortSignal
  /** @default the system's */
  clock?: Clock
  /** From 0 to 1, spreads the reconnects of many processes. @default Math.random */
  random?: () => number
}

/** A subscription that reconnects by itself. Dispose to end it. */
export interface Listener extends AsyncDisposable {
  /** Whether notifications arrive at the moment. */
  readonly healthy: boolean
}

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 5_000
/** A connection that died without a word is noticed after at most the sum of both. */
const PROBE_EVERY_MS = 15_000
const PROBE_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Subscribes to a channel on a connection of its own. Returns at once and never throws: a server that is away is waited
 * for, with full-jitter backoff from 100 ms to 5 s. NOTIFY is a hint only, so callers poll too.
 */
export const listen = (options: ListenOptions): Listener => {
  const clock = options.clock ?? systemClock
  const random = options.random ?? Math.random
  const stopped = new AbortController()
  const signal = options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal])
  let healthy = false
  const setHealthy = (next: boolean): void => {
    if (healthy === next) return
    healthy = next
    options.onState?.(next ? 'connected' : 'disconnected')
  }

  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; failures += 1) {
      await subscribeOnce(options, { clock, signal }, () => {
        failures = 0
        setHealthy(true)
      })
      setHealthy(false)
      const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures)
      await pause(clock, random() * longest, signal)
    }
  }
  const running = run()
  return {
    get healthy() {
      return healthy
    },
    [Symbol.asyncDispose]: () => {
      stopped.abort()
      return running
    },
  }
}

/** One connection from its start to its end; resolves when it has ended, for whatever reason. */
const subscribeOnce = async (
  { url, channel, onNotify }: ListenOptions,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
  onConnected: () => void,
): Promise<void> => {
  const ended = Promise.withResolvers<void>()
  // The socket is destroyed rather than the session ended: a dead network would answer the farewell never.
  const socket = new Socket()
  const end = (): void => {
    socket.destroy()
    ended.resolve()
  }
  let timer: TimerHandle | undefined
  signal.addEventListener('abort', end, { once: true })
  try {
    const client = new Client({
      connectionString: url,
      application_name: 'sonde-listen',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      stream: () => socket,
    })
    client.on('error', end)
    client.on('end', end)
    client.on('notification', (message) => onNotify(message.payload ?? ''))
    await client.connect()
    await client.query(`listen ${escapeIdentifier(channel)}`)
    if (signal.aborted) return
    onConnected()
    const probe = (): void => {
      timer = clock.setTimeout(end, PROBE_TIMEOUT_MS)
      void client.query('select 1').then(probeLater, end)
    }
    const probeLater = (): void => {
      clock.clearTimeout(timer)
      timer = clock.setTimeout(probe, PROBE_EVERY_MS)
    }
    probeLater()
    await ended.promise
  } catch {
    // The caller sees it as "not healthy" and the next attempt finds out whether it lasts.
  } finally {
    signal.removeEventListener('abort', end)
    clock.clearTimeout(timer)
    end()
  }
}

const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = clock.setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clock.clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
