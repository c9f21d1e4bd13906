import { once } from 'node:events'
import { mkdtempDisposableSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { latin1Decode } from '@sonde/capture-format'
import { systemClock } from '@sonde/contracts'
import { poll, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect, test } from 'vitest'
import { ControlConnection, parseClientList } from '../control-connection.ts'
import { OwnTraffic } from '../own-traffic.ts'
import { parseServerAddress, type ServerAddress } from '../server-address.ts'
import { wireLine } from '../../test/lines.ts'
import { RedisMonitor } from './redis-monitor.ts'
import { OpenRefused, type SourceEnd } from './source.ts'

/** A server that speaks as much RESP as the script says: it answers each write of the client with the next part. */
const startPeer = async (answer: (command: string, socket: Socket) => void) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => answer(bytes.toString('latin1'), socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: { host: '127.0.0.1', port, tls: false } satisfies ServerAddress,
    sockets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const openMonitor = (address: ServerAddress, onOpen?: (own: OwnTraffic) => Promise<void>) => {
  const lines: string[] = []
  const own: string[] = []
  const ends: SourceEnd[] = []
  const marks = new OwnTraffic('test')
  const monitor = new RedisMonitor({
    address,
    clientName: 'sonde:node-test:target',
    dialect: 'bracket',
    maxLineBytes: 2 ** 20,
    own: marks,
    clock: systemClock,
    ...(onOpen && { onOpen: () => onOpen(marks) }),
  })
  const opened = monitor.open({
    line: ({ bytes, start, end, isOwn }) => (isOwn ? own : lines).push(latin1Decode(bytes, start, end)),
    ended: (end) => ends.push(end),
  })
  return { monitor, opened, lines, own, ends, [Symbol.dispose]: () => monitor.close() }
}

const refusalOf = async (opened: Promise<void>): Promise<string> => {
  const error = await opened.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(OpenRefused)
  return (error as OpenRefused).message
}

test('OK and a thousand lines in one write are a thousand lines', async () => {
  await using peer = await startPeer((command, socket) => {
    if (command.includes('SETNAME')) socket.write('+OK\r\n')
    if (command.includes('MONITOR')) {
      const lines = Array.from({ length: 1000 }, (_, index) =>
        wireLine(1_767_225_600_000_000 + index, 'GET', `k${index}`),
      )
      socket.write(Buffer.concat([Buffer.from('+OK\r\n'), ...lines]))
    }
    const mark = /sonde-fence-\S+/.exec(command)?.[0]
    if (mark !== undefined) socket.write(`$${mark.length}\r\n${mark}\r\n`)
  })
  using opened = openMonitor(peer.address)
  await opened.opened
  expect(opened.lines).toHaveLength(1000)
  expect(opened.lines[0]).toBe('1767225600.000000 [0 127.0.0.1:50000] "GET" "k0"')
  expect(opened.lines[999]).toBe('1767225600.000999 [0 127.0.0.1:50000] "GET" "k999"')
})

test('a refusal of MONITOR carries the words of the server, and the socket is closed', async () => {
  const words = "NOPERM this user has no permissions to run the 'monitor' command"
  await using peer = await startPeer((command, socket) => {
    socket.write(command.includes('MONITOR') ? `-${words}\r\n` : '+OK\r\n')
  })
  using opened = openMonitor(peer.address)
  expect(await refusalOf(opened.opened)).toBe(words)
  await poll(() => peer.sockets.size === 0, { what: 'the socket to be closed' })
  expect(opened.ends).toEqual([])
})

test('a server that cannot name clients can be monitored all the same', async () => {
  await using peer = await startPeer((command, socket) => {
    if (command.includes('SETNAME')) socket.write("-ERR unknown command 'CLIENT'\r\n")
    if (command.includes('MONITOR')) socket.write('+OK\r\n')
    if (command.includes('ECHO')) socket.write('-NOPERM echo\r\n')
  })
  using opened = openMonitor(peer.address)
  await expect(opened.opened).resolves.toBeUndefined()
})

test('a peer that closes in the middle of a line ends the source after the lines it sent, the broken one marked', async () => {
  await using peer = await startPeer((command, socket) => {
    if (command.includes('SETNAME') || command.includes('MONITOR')) socket.write('+OK\r\n')
    const mark = /sonde-fence-\S+/.exec(command)?.[0]
    if (mark === undefined) return
    socket.write(`$${mark.length}\r\n${mark}\r\n`)
    const line = wireLine(1_767_225_600_000_000, 'SET', 'key', 'value')
    setImmediate(() => socket.end(Buffer.concat([line, line.subarray(0, line.length - 9)])))
  })
  using opened = openMonitor(peer.address)
  await opened.opened
  await poll(() => opened.ends.length > 0, { what: 'the end of the source' })
  expect(opened.ends).toEqual([{ reason: 'source_closed', detail: 'the server closed the connection' }])
  expect(opened.lines).toEqual([
    '1767225600.000000 [0 127.0.0.1:50000] "SET" "key" "value"',
    '1767225600.000000 [0 127.0.0.1:50000] "SET" "key"',
  ])
})

test('a peer that closes instead of answering is a refusal, and so is one that resets', async () => {
  for (const end of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    await using peer = await startPeer((_, socket) => end(socket))
    using opened = openMonitor(peer.address)
    expect(await refusalOf(opened.opened)).not.toBe('')
    expect(opened.ends).toEqual([])
  }
})

test('nothing that listens is a refusal with the words of the system', async () => {
  const peer = await startPeer(() => undefined)
  await peer[Symbol.asyncDispose]()
  using opened = openMonitor(peer.address)
  expect(await refusalOf(opened.opened)).toContain('ECONNREFUSED')
})

test('a fence that the server does not answer is given up after a second', async () => {
  let isSilent = false
  await using peer = await startPeer((command, socket) => {
    const mark = /sonde-fence-\S+/.exec(command)?.[0]
    if (mark === undefined) socket.write('+OK\r\n')
    else if (!isSilent) socket.write(`$${mark.length}\r\n${mark}\r\n`)
  })
  using opened = openMonitor(peer.address)
  await opened.opened
  isSilent = true
  await expect(opened.monitor.fence()).rejects.toThrow('within 1000 ms')
})

test('after a close nothing is told any more', async () => {
  await using peer = await startPeer((command, socket) => {
    const mark = /sonde-fence-\S+/.exec(command)?.[0]
    socket.write(mark === undefined ? '+OK\r\n' : `$${mark.length}\r\n${mark}\r\n`)
  })
  using opened = openMonitor(peer.address)
  await opened.opened
  opened.monitor.close()
  await poll(() => peer.sockets.size === 0, { what: 'the socket to be closed' })
  expect(opened.ends).toEqual([])
  await expect(opened.monitor.fence()).rejects.toThrow('closed')
})

/** Connections at the server under a name of ours. */
const ownClients = async (redis: { command(...args: string[]): Promise<unknown> }): Promise<string[]> =>
  parseClientList(String(await redis.command('CLIENT', 'LIST')))
    .map(({ name }) => name)
    .filter((name) => name.startsWith('sonde:'))

redisTest('what is read is what another monitor sees, and own traffic is told apart', async () => {
  await using redis = await startRedis()
  const control = new ControlConnection(parseServerAddress(redis.url, 'url'), 'sonde:node-test:control')
  using _control = control
  using opened = openMonitor(parseServerAddress(redis.url, 'url'), (own) => control.echo(own.mark('control')))
  await opened.opened
  expect(await ownClients(redis)).toEqual(expect.arrayContaining(['sonde:node-test:target', 'sonde:node-test:control']))

  const witness = connect(redis.port, '127.0.0.1')
  const seen: Buffer[] = []
  witness.on('data', (bytes) => seen.push(bytes))
  witness.write('MONITOR\r\n')
  await poll(() => seen.length > 0, { what: 'the second monitor' })

  await redis.command('SET', 'first', 'a"b\\c\r\n\u0000\u00ff')
  await redis.command('EVAL', "return redis.call('get', KEYS[1])", '1', 'first')
  await control.facts()
  await control.timeUs()
  for (let index = 0; index < 200; index += 1) await redis.command('INCR', `counter:${index % 7}`)
  await opened.monitor.fence()

  const witnessText = (): string => Buffer.concat(seen).toString('latin1')
  await poll(() => witnessText().split('"INCR"').length === 201, { what: 'the second monitor to see all' })
  witness.destroy()
  const theirs = witnessText()
    .split('\r\n')
    .filter((line) => /^\+\d/.test(line) && !/"(INFO|TIME|ECHO)"/.test(line))
    .map((line) => line.slice(1))
  expect(opened.lines.filter((line) => theirs.includes(line))).toEqual(theirs)
  expect(opened.lines.filter((line) => /"(INFO|TIME|ECHO)"/.test(line))).toEqual([])
  expect(opened.own.filter((line) => /"(INFO|TIME)"/.test(line))).toHaveLength(2)
})

redisTest('after a fence every line that was executed before it is there', async () => {
  await using redis = await startRedis()
  using opened = openMonitor(parseServerAddress(redis.url, 'url'))
  await opened.opened
  const client = createClient({ url: redis.url, RESP: 2, disableClientInfo: true, maintNotifications: 'disabled' })
  client.on('error', () => undefined)
  await client.connect()
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => client.sendCommand(['SET', `k${round}:${index}`, 'v'])))
    await opened.monitor.fence()
    expect(opened.lines.filter((line) => line.includes('"SET"'))).toHaveLength((round + 1) * 500)
  }
  client.destroy()
})

redisTest('a user without the right to MONITOR is refused, and no connection stays', async () => {
  await using redis = await startRedis()
  await redis.command('ACL', 'SETUSER', 'reader', 'on', '>secret word', '~*', '+@all', '-monitor')
  const address = { ...parseServerAddress(redis.url, 'url'), username: 'reader', password: 'secret word' }
  using opened = openMonitor(address)
  expect(await refusalOf(opened.opened)).toMatch(/^NOPERM .*monitor/)
  await poll(async () => (await ownClients(redis)).length === 0, { what: 'own connections to be gone' })
})

redisTest('a wrong password is refused with the words of the server, and no connection stays', async () => {
  await using redis = await startRedis({ args: ['--maxclients', '10'] })
  await redis.command('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@all')
  const address = { ...parseServerAddress(redis.url, 'url'), username: 'reader', password: 'wrong' }
  for (let attempt = 0; attempt < 20; attempt += 1) {
    using opened = openMonitor(address)
    expect(await refusalOf(opened.opened)).toMatch(/^WRONGPASS/)
  }
  await poll(async () => parseClientList(String(await redis.command('CLIENT', 'LIST'))).length === 1, {
    what: 'only the asking connection to be left',
  })
})

redisTest('a killed monitor connection ends the source, which is not opened again by itself', async () => {
  await using redis = await startRedis()
  using opened = openMonitor(parseServerAddress(redis.url, 'url'))
  await opened.opened
  await redis.command('SET', 'k', 'v')
  await opened.monitor.fence()
  const [monitor] = parseClientList(String(await redis.command('CLIENT', 'LIST'))).filter(
    ({ name }) => name === 'sonde:node-test:target',
  )
  await redis.command('CLIENT', 'KILL', 'ID', monitor!.id)
  await poll(() => opened.ends.length > 0, { what: 'the end of the source' })
  expect(opened.ends[0]?.reason).toBe('source_closed')
  expect(opened.lines.some((line) => line.includes('"SET" "k" "v"'))).toBe(true)
  expect(await ownClients(redis)).toEqual([])
})

redisTest('leftovers of an earlier process are ended, own connections and those of others are not', async () => {
  await using redis = await startRedis()
  const address = parseServerAddress(redis.url, 'url')
  using left = openMonitor(address)
  await left.opened
  using other = new ControlConnection(address, 'sonde:node-other:control:1')
  await other.facts()
  using mine = new ControlConnection(address, 'sonde:node-test:control:2')
  await mine.facts()
  expect(await mine.killLeftovers('sonde:node-test:', new Set(['sonde:node-test:control:2']))).toBe(1)
  await poll(() => left.ends.length > 0, { what: 'the leftover to be ended' })
  expect((await ownClients(redis)).toSorted()).toEqual(['sonde:node-other:control:1', 'sonde:node-test:control:2'])
})

redisTest('a control connection that was killed comes back with the next call', async () => {
  await using redis = await startRedis()
  using control = new ControlConnection(parseServerAddress(redis.url, 'url'), 'sonde:node-test:control')
  expect(await control.facts()).toMatchObject({ role: 'primary', isCluster: false, dialect: 'bracket' })
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
  await poll(() => control.timeUs().then((us) => Math.abs(us / 1000 - Date.now()) < 5000), { what: 'the clock' })
  await expect(control.clusterNodes()).rejects.toThrow('cluster support disabled')
})

redisTest('a unix socket with a password is monitored, and its marks are told apart', async () => {
  // A server that is killed leaves its socket.
  using folder = mkdtempDisposableSync(join(tmpdir(), 'sonde-socket-'))
  const path = join(folder.path, 'redis.sock')
  await using redis = await startRedis({ args: ['--unixsocket', path] })
  await redis.command('CONFIG', 'SET', 'requirepass', 'a b')
  using opened = openMonitor(parseServerAddress(`unix://:a%20b@${path}`, 'test'))
  await opened.opened
  await opened.monitor.fence()
  await poll(() => opened.own.length >= 1, { what: 'a mark' })
  expect(opened.lines).toEqual([])
})
