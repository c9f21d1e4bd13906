import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** The port that a TCP server listens on; throws when it does not. */
export const portOf = (server: Server): number => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on TCP')
  return address.port
}

/**
 * A TCP port of 127.0.0.1 that was free a moment ago, for servers that cannot listen on port 0. Another process can take
 * it before the server does, so a caller tries again with another port when the server finds it taken.
 */
export const freePort = (): Promise<number> => listenOnce(0)

/** Linux gives connections that go out ports from 32,768 on. */
const LASTING = [20_000, 32_000] as const
const TRIES = 20

/**
 * A free port for a server that is killed and comes back while its clients try on: below those that outgoing connections are
 * given, or one of the clients would be found on it, connected to itself.
 */
export const lastingPort = async (): Promise<number> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await listenOnce(randomInt(...LASTING))
    } catch (error) {
      if (tries === TRIES) throw error
    }
  }
}

const listenOnce = async (wanted: number): Promise<number> => {
  const server = createServer()
  server.listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}
