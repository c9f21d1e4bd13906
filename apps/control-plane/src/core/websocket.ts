import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { WebSocketServer, type WebSocket } from 'ws'
import type { AppRouter } from '../router.ts'
import type { Authenticate, Principal } from './authenticate.ts'
import { assertOwnSocket, credentialOf } from './credential.ts'
import { revocationId } from './events.ts'
import { QuickSocket, takeQuickCall, type QuickCall } from './quick-call.ts'
import type { Resources } from './resources.ts'
import type { CallContext, Peer } from './trpc.ts'

/** The longest inbound message, in bytes; the same bound as a procedure's body over HTTP. */
const MESSAGE_BYTES = 2 * 2 ** 20

export interface WebSocketOptions {
  server: Server
  resources: Resources
  authenticate: Authenticate
  appRouter: AppRouter
  /** A procedure of the router that is answered past it. */
  quick?: QuickCall
}

/** Closes the lane of a node that was revoked: a policy was violated, says RFC 6455. */
const REVOKED = 1008

/**
 * Serves `/trpc` on WebSockets of the same port, and closes those of a node that is revoked. Dispose tells clients to
 * reconnect, then closes.
 */
export const createWebSocketServer = (options: WebSocketOptions): AsyncDisposable => {
  const { server, resources, authenticate, appRouter, quick } = options
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES,
    perMessageDeflate: false,
    WebSocket: QuickSocket,
  })
  const peers = new Map<WebSocket, Peer>()
  const revocations = resources.events.onEvent('revocations', (id) => {
    for (const [socket, { principal }] of peers) {
      if (principal && revocationIdOf(principal) === id) socket.close(REVOKED, 'the node was revoked')
    }
  })
  const handler = applyWSSHandler({
    wss: sockets,
    router: appRouter,
    createContext: ({ req, res }): CallContext => {
      const peer: Peer = { token: credentialOf(req).token, principal: undefined }
      peers.set(res, peer)
      res.once('close', () => peers.delete(res))
      const unsentBytes = () => res.bufferedAmount
      const ctx: CallContext = { resources, authenticate, peer, requestId: undefined, unsentBytes }
      if (quick && res instanceof QuickSocket) {
        res.take = takeQuickCall({ quick, appRouter, ctx, send: (text) => res.send(text) })
      }
      return ctx
    },
    keepAlive: { enabled: true, pingMs: 10_000, pongWaitMs: 10_000 },
  })
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    try {
      if (!/^\/trpc\/?(\?|$)/.test(request.url ?? '')) return refuse(socket, '404 Not Found')
      assertOwnSocket(request, credentialOf(request))
    } catch {
      return refuse(socket, '403 Forbidden')
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => resources.log.debug({ err: error }, 'a socket failed'))
      sockets.emit('connection', client, request)
    })
  }
  server.on('upgrade', upgrade)
  return {
    async [Symbol.asyncDispose]() {
      server.off('upgrade', upgrade)
      revocations[Symbol.dispose]()
      handler.broadcastReconnectNotification()
      // 1012, service restart: clients come back, to any replica.
      for (const client of sockets.clients) client.close(1012)
      const closed = new Promise<void>((resolve) => sockets.close(() => resolve()))
      const impatient = setTimeout(() => {
        for (const client of sockets.clients) client.terminate()
      }, 1_000)
      await closed
      clearTimeout(impatient)
    },
  }
}

const revocationIdOf = ({ onlySessionId, nodeId }: Principal): string | undefined =>
  onlySessionId !== null && nodeId !== null ? revocationId(onlySessionId, nodeId) : undefined

const refuse = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
