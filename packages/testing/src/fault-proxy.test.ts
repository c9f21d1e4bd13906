import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { startFaultProxy } from './fault-proxy.ts'
import { portOf } from './free-port.ts'
import { poll } from './poll.ts'

const startEcho = async (): Promise<{ port: number } & AsyncDisposable> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const dial = async (port: number): Promise<{ socket: Socket; received: () => string } & Disposable> => {
  let received = ''
  const socket = connect(port, '127.0.0.1')
  socket.on('data', (bytes) => (received += bytes.toString()))
  await once(socket, 'connect')
  socket.on('error', () => {})
  return { socket, received: () => received, [Symbol.dispose]: () => void socket.destroy() }
}

test('bytes pass, a pause holds them back, and a resume delivers every one in order', async () => {
  await using echo = await startEcho()
  await using proxy = await startFaultProxy(echo)
  using client = await dial(proxy.port)
  client.socket.write('one ')
  await poll(() => client.received() === 'one ', { what: 'the echo' })
  proxy.pause()
  client.socket.write('two ')
  using bystander = await dial(echo.port)
  bystander.socket.write('direct')
  await poll(() => bystander.received() === 'direct', { what: 'the direct echo' })
  expect(client.received()).toBe('one ')
  await proxy.resume()
  await poll(() => client.received() === 'one two ', { what: 'what was held back' })
})

test('a cut breaks what is open and takes new connections', async () => {
  await using echo = await startEcho()
  await using proxy = await startFaultProxy(echo)
  using client = await dial(proxy.port)
  await poll(() => proxy.connections === 1, { what: 'the proxy to see the connection' })
  const closed = new Promise((resolve) => client.socket.once('close', resolve))
  proxy.cut()
  await closed
  await poll(() => proxy.connections === 0, { what: 'the proxy to drop the pair' })
  using again = await dial(proxy.port)
  again.socket.write('hello')
  await poll(() => again.received() === 'hello', { what: 'the echo after the cut' })
})

test('a refusing proxy turns new connections away and lets open ones go on', async () => {
  await using echo = await startEcho()
  await using proxy = await startFaultProxy(echo)
  using client = await dial(proxy.port)
  client.socket.write('a')
  await poll(() => client.received() === 'a', { what: 'the echo' })
  await proxy.refuse()
  await expect(dial(proxy.port)).rejects.toThrow(/ECONNREFUSED/)
  client.socket.write('b')
  await poll(() => client.received() === 'ab', { what: 'the echo on the open connection' })
  await proxy.resume()
  using late = await dial(proxy.port)
  late.socket.write('c')
  await poll(() => late.received() === 'c', { what: 'the echo after the resume' })
})
