import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { portOf } from './free-port.ts'

/** A TCP proxy with faults to order. Dispose to cut everything and close it. */
export interface FaultProxy extends AsyncDisposable {
  /** Where to connect to, on 127.0.0.1; the same for the proxy's whole life. */
  readonly port: number
  /** Connections that are open through it. */
  readonly connections: number
  /** Breaks every open connection; new ones are accepted. */
  cut(): void
  /** Forwards nothing more in either direction, and breaks nothing: what a dead network looks like. */
  pause(): void
  /** Refuses new connections; open ones go on. */
  refuse(): Promise<void>
  /** Ends {@link pause} and {@link refuse}; nothing that was sent meanwhile is lost. */
  resume(): Promise<void>
}

interface Pair {
  client: Socket
  upstream: Socket
}

/**
 * Starts a proxy before `target`; `host` is by default 127.0.0.1. `onSent` is told what clients send and `onAnswered` what they are
 * sent, with a number for each connection.
 */
export const startFaultProxy = async (
  target: { host?: string; port: number },
  onSent: (bytes: Uint8Array, connection: number) => void = () => undefined,
  onAnswered: (bytes: Uint8Array, connection: number) => void = () => undefined,
): Promise<FaultProxy> => {
  let accepted = 0
  const pairs = new Set<Pair>()
  let paused = false
  let server: Server | undefined

  const accept = (client: Socket): void => {
    const upstream = connect(target.port, target.host ?? '127.0.0.1')
    const connection = accepted
    accepted += 1
    client.on('data', (bytes) => onSent(bytes, connection))
    upstream.on('data', (bytes) => onAnswered(bytes, connection))
    const pair = { client, upstream }
    pairs.add(pair)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.setNoDelay(true)
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => {
        if (!paused) from.resume()
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
      if (paused) from.pause()
    }
  }
  const open = async (port: number): Promise<Server> => {
    const opened = createServer({ allowHalfOpen: true }, accept)
    opened.listen(port, '127.0.0.1')
    await once(opened, 'listening')
    return opened
  }
  const cut = (): void => {
    for (const { client, upstream } of pairs) {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }
  /** `close` waits for connections that stay open here; that it no longer listens is true at once. */
  const refuse = (): Promise<void> => {
    server?.close()
    server = undefined
    return Promise.resolve()
  }

  server = await open(0)
  const port = portOf(server)
  return {
    port,
    get connections() {
      return pairs.size
    },
    cut,
    pause: () => {
      paused = true
      for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.pause()
    },
    refuse,
    resume: async () => {
      paused = false
      for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.resume()
      server ??= await open(port)
    },
    [Symbol.asyncDispose]: async () => {
      await refuse()
      cut()
    },
  }
}
