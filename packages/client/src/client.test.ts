import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SondeError } from '@sonde/contracts'
import { TRPCClientError } from '@trpc/client'
import { expect, test } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { callErrorOf, createClient, isRetryable, wireErrorToSondeError } from './client.ts'

/** A server that takes sockets and answers nothing but what the test sends. */
const startPeer = async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const authorizations: (string | undefined)[] = []
  server.on('connection', (_, request) => authorizations.push(request.headers.authorization))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    server,
    authorizations,
    connection: async (): Promise<WebSocket> => {
      const [socket] = (await once(server, 'connection')) as [WebSocket]
      return socket
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.clients) socket.terminate()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Two promises that the client's callbacks fulfil in turn. */
const counter = () => {
  let count = 0
  let next = Promise.withResolvers<number>()
  return {
    get count() {
      return count
    },
    next: () => next.promise,
    add: () => {
      count += 1
      next.resolve(count)
      next = Promise.withResolvers()
    },
  }
}

test('a lost connection is told once and made again, with the token each time', async () => {
  await using peer = await startPeer()
  const [opened, closed] = [counter(), counter()]
  const first = peer.connection()
  const firstOpen = opened.next()
  await using _client = createClient({
    url: peer.url,
    token: 'sonde_p_x',
    retryDelayMs: () => 0,
    onOpen: opened.add,
    onClose: closed.add,
  })
  await firstOpen
  const [again, lost] = [opened.next(), closed.next()]
  ;(await first).terminate()
  await lost
  await again
  expect([opened.count, closed.count]).toEqual([2, 1])
  expect(peer.authorizations).toEqual(['Bearer sonde_p_x', 'Bearer sonde_p_x'])
})

test('tries that never opened are no lost connections', async () => {
  await using peer = await startPeer()
  const url = peer.url
  peer.server.close()
  const tries = counter()
  const third = Promise.withResolvers<void>()
  const closed = counter()
  const client = createClient({
    url,
    token: 'sonde_p_x',
    retryDelayMs: (attempt) => {
      tries.add()
      if (attempt === 3) third.resolve()
      return 0
    },
    onClose: closed.add,
  })
  await third.promise
  await client[Symbol.asyncDispose]()
  expect(closed.count).toBe(0)
})

test('a call whose connection is lost fails as unreachable, which is worth a retry', async () => {
  await using peer = await startPeer()
  const connection = peer.connection()
  await using client = createClient({ url: peer.url, token: 'sonde_p_x', retryDelayMs: () => 60_000 })
  const socket = await connection
  const called = once(socket, 'message')
  const call = client.rpc.tokens.self.query().catch((error: unknown) => error)
  await called
  socket.terminate()
  const error = await call
  expect(callErrorOf(error).code).toBe('control_plane.unreachable')
  expect(isRetryable(error)).toBe(true)
})

test('disposing does not wait for ever for a server that answers nothing', async () => {
  await using peer = await startPeer()
  const connection = peer.connection()
  const client = createClient({ url: peer.url, token: 'sonde_p_x' })
  const socket = await connection
  const called = once(socket, 'message')
  const call = client.rpc.tokens.self.query().catch((error: unknown) => callErrorOf(error).code)
  await called
  const begun = performance.now()
  await client[Symbol.asyncDispose]()
  expect(performance.now() - begun).toBeLessThan(5_000)
  expect(await call).toBe('control_plane.unreachable')
})

test("a server's error keeps its code, words and facts", () => {
  const wire = {
    code: 'capture.target_busy',
    message: 'Held.',
    requestId: 'r1',
    retryable: true,
    details: { heldBy: 'c' },
  }
  const thrown = new TRPCClientError('Held.', {
    result: { error: { code: -32009, message: 'Held.', data: { sondeError: wire } } },
  })
  const error = callErrorOf(thrown)
  expect(error).toBeInstanceOf(SondeError)
  expect([error.code, error.message, error.details]).toEqual([
    'capture.target_busy',
    'Held.',
    { heldBy: 'c', requestId: 'r1' },
  ])
})

test('an unknown code of a newer server keeps its words', () => {
  const error = wireErrorToSondeError({ code: 'moon.full', message: 'Wait for the new moon.' })
  expect([error.code, error.message]).toEqual(['control_plane.error', 'Wait for the new moon.'])
})

test('an answer that is not in the form of Sonde is told as such', () => {
  const thrown = new TRPCClientError('Bad gateway', { result: { error: { code: -32603, message: 'no', data: {} } } })
  expect(callErrorOf(thrown).code).toBe('control_plane.error')
})
