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
export const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}
