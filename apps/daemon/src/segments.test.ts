import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { newId, type NodeCommandBody } from '@sonde/contracts'
import { poll, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect, test } from 'vitest'
import { endMonitors, monitors, startNode, startNodeAt, startTraffic } from '../test/node.ts'
import { parseClientList } from './control-connection.ts'
import { parseServerAddress } from './server-address.ts'

redisTest('what is stored is byte for byte what another monitor sees between begin and stop', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  using traffic = await startTraffic(redis)
  await using witness = new AsyncDisposableStack()
  const socket = connect(redis.port, '127.0.0.1')
  witness.defer(() => void socket.destroy())
  const seen: Buffer[] = []
  socket.on('data', (bytes) => seen.push(bytes))
  socket.write('MONITOR\r\n')
  await poll(() => seen.length > 0, { what: 'the witness' })

  expect(await node.run(node.open())).toMatchObject({ kind: 'opened', dialect: 'bracket', role: 'primary' })
  await traffic.write(100, 'before')
  expect(await node.begin()).toEqual({ kind: 'running' })
  for (let round = 0; round < 10; round += 1) await traffic.write(1000, `round${round}`)
  expect(await node.stop()).toEqual({ kind: 'acknowledged' })
  await traffic.write(100, 'after')

  const { counters, end } = await node.end()
  expect(end).toEqual({ outcome: 'completed', reason: 'manual_stop', detail: null })
  const manifest = await node.manifest()
  expect(manifest).toEqual(node.store.manifestOf(node.key()))
  const theirs = (): string[] => Buffer.concat(seen).toString('latin1').split('\r\n')
  await poll(() => theirs().some((line) => line.includes('"after:99"')), { what: 'the witness to see all' })
  const wanted = theirs().filter((line) => line.includes('"round'))
  expect(wanted).toHaveLength(10_000)
  expect(node.store.linesOf(node.key())).toBe(wanted.map((line) => `${line.slice(1)}\n`).join(''))
  expect(counters).toMatchObject({ recorded: 10_000, recordedBytes: manifest.bytes, dropped: 0, malformed: 0 })
  expect(counters.ownTraffic).toBeGreaterThan(0)
  expect(manifest).toMatchObject({ lines: 10_000 })
  await poll(async () => (await monitors(redis)) === 1, { what: 'only the witness to monitor' })
})

redisTest('captures of one target share one monitor connection, which closes with the last of them', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  using traffic = await startTraffic(redis)
  await Promise.all([node.run(node.open()), node.run(node.open({ segmentNo: 1 }))])
  await Promise.all([node.begin(0), node.begin(1)])
  expect(await monitors(redis)).toBe(1)
  await traffic.write(50, 'both')
  await node.stop(0)
  expect(await monitors(redis)).toBe(1)
  await traffic.write(50, 'second')
  await node.stop(1)
  await Promise.all([node.manifest(0), node.manifest(1)])
  expect(node.store.linesOf(node.key(0)).split('\n')).toHaveLength(51)
  expect(node.store.linesOf(node.key(1)).split('\n')).toHaveLength(101)
  await poll(async () => (await monitors(redis)) === 0, { what: 'the monitor connection to be closed' })
})

redisTest(
  'a server that refuses MONITOR is answered with its words, and nothing stays open or is reported',
  async () => {
    await using redis = await startRedis()
    await redis.command('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@all', '-monitor')
    const address = { ...parseServerAddress(redis.url, 'test'), username: 'reader', password: 'pw' }
    await using node = await startNode({ kind: 'server', address })
    const answer = await node.run(node.open())
    expect(answer).toMatchObject({ kind: 'refused', code: 'monitor_open_failed' })
    expect(answer.kind === 'refused' && answer.detail).toMatch(/^NOPERM .*monitor/)
    expect(node.segments.count).toBe(0)
    await poll(
      async () =>
        parseClientList(String(await redis.command('CLIENT', 'LIST'))).every(
          ({ name }) => !/^sonde:.*-.*-.*-.*-/.test(name),
        ),
      { what: 'the monitor connection to be gone' },
    )
  },
)

redisTest('a server that goes away fails the segment, and the lines before it are stored', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  using traffic = await startTraffic(redis)
  await node.run(node.open())
  await node.begin()
  await traffic.write(500, 'kept')
  await poll(() => node.reports.some(({ counters }) => counters.recorded === 500), { what: 'the lines to be read' })
  redis.kill()
  const { end, counters } = await node.end()
  expect(end).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(/^source_(closed|error)$/) })
  expect(end?.detail).not.toBe('')
  expect(await node.manifest()).toMatchObject({ lines: counters.recorded })
  expect(node.store.linesOf(node.key()).split('\n')).toHaveLength(501)
})

redisTest('chunks that cannot be shipped end the segment at 16 MiB instead of filling the memory', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  node.store.silence()
  await node.run(node.open({ chunk: { bytes: 262_144, ms: 50, lines: 5000, maxLineBytes: 2 ** 20 } }))
  await node.begin()
  using traffic = await startTraffic(redis)
  let sent = 0
  while (!node.reports.some(({ end }) => end !== undefined)) {
    // Random, or compression would make it small.
    const values = Array.from({ length: 32 }, () => randomBytes(4096).toString('base64'))
    await Promise.all(values.map((value) => traffic.write(1, `k${sent}`, value)))
    sent += 1
    expect(sent).toBeLessThan(2000)
  }
  const { end, counters } = await node.end()
  expect(end).toMatchObject({ outcome: 'truncated', reason: 'overrun' })
  expect(counters.recordedBytes).toBeLessThan(32 * 2 ** 20)
  expect(node.hasManifest()).toBe(false)
  await poll(async () => (await monitors(redis)) === 0, { what: 'the monitor connection to be closed' })
})

redisTest('a discarded segment reads nothing more, ships nothing more and sends no manifest', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  await node.run(node.open())
  await node.begin()
  const { captureId } = node
  expect(await node.run({ kind: 'segment.discard', captureId, segmentNo: 0, why: 'gone' })).toEqual({
    kind: 'acknowledged',
  })
  await poll(async () => (await monitors(redis)) === 0, { what: 'the monitor connection to be closed' })
  await poll(() => node.segments.count === 0, { what: 'the segment to be forgotten' })
  expect(node.hasManifest()).toBe(false)
})

redisTest('a command that comes again does nothing again', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  const command = node.open({ slice: { sliceNo: 0, bytes: 2 ** 20, lines: 1, lastBytes: false, lastLines: false } })
  const answers = await Promise.all([node.run(command), node.run(command)])
  expect(answers[1]).toEqual(answers[0])
  expect(await monitors(redis)).toBe(1)
  await node.begin()
  await node.begin()
  const grant: NodeCommandBody = {
    kind: 'segment.grant',
    captureId: node.captureId,
    segmentNo: 0,
    slice: { sliceNo: 1, bytes: 0, lines: 2, lastBytes: true, lastLines: true },
  }
  await node.run(grant)
  await node.run(grant)
  using traffic = await startTraffic(redis)
  await traffic.write(10, 'k')
  const { end, counters } = await node.end()
  expect([end?.reason, counters.recorded]).toEqual(['line_cap', 3])
})

redisTest('a daemon that stops ends its segments as failed, ships what it read and tells the end', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  using traffic = await startTraffic(redis)
  await node.run(node.open({ chunk: { bytes: 262_144, ms: 60_000, lines: 5000, maxLineBytes: 2 ** 20 } }))
  await node.begin()
  await traffic.write(20, 'k')
  await poll(() => node.reports.some(({ counters }) => counters.recorded === 20), { what: 'the lines to be read' })
  await node.segments.stopAll('the daemon was stopped')
  expect((await node.end()).end).toEqual({
    outcome: 'failed',
    reason: 'source_closed',
    detail: 'the daemon was stopped',
  })
  expect(node.store.linesOf(node.key()).split('\n')).toHaveLength(21)
  expect(await monitors(redis)).toBe(0)
})

test('commands for a segment that is not here are refused, but for a discard, which is done', async () => {
  await using node = await startNode({ kind: 'synthetic' })
  expect(await node.begin()).toMatchObject({ kind: 'refused', code: 'segment_unknown' })
  expect(await node.stop()).toMatchObject({ kind: 'refused', code: 'segment_unknown' })
  const { captureId } = node
  expect(await node.run({ kind: 'segment.discard', captureId, segmentNo: 0, why: 'x' })).toEqual({
    kind: 'acknowledged',
  })
  expect(await node.run(node.open({ targetId: newId() }))).toMatchObject({
    kind: 'refused',
    code: 'monitor_open_failed',
  })
})

test.for([
  [{ durationMs: 86_400_001 }, 'durationMs'],
  [{ durationMs: Number.NaN }, 'durationMs'],
  [{ durationMs: -1 }, 'durationMs'],
  [{ slice: { sliceNo: 0, bytes: 10 * 2 ** 30 + 1, lines: 1, lastBytes: true, lastLines: true } }, 'slice.bytes'],
  [{ slice: { sliceNo: 0, bytes: 1, lines: 0.5, lastBytes: true, lastLines: true } }, 'slice.lines'],
  [{ chunk: { bytes: 2 ** 24, ms: 500, lines: 1, maxLineBytes: 2 ** 20 } }, 'chunk.bytes'],
  [{ chunk: { bytes: 2 ** 20, ms: 500, lines: 1, maxLineBytes: 2 ** 24 } }, 'chunk.maxLineBytes'],
  [{ policy: undefined }, 'redaction policy'],
  [{ policy: { level: 'some' } }, 'redaction policy'],
  [{ policy: { level: 'full', keepValues: true } }, 'redaction policy'],
] as const)('an open with %j is refused by the daemon itself', async ([fields, name]) => {
  await using node = await startNode({ kind: 'synthetic' })
  const answer = await node.run(node.open(fields))
  expect(answer).toMatchObject({ kind: 'refused', detail: expect.stringContaining(name) })
})

test('a synthetic target is captured like any other', async () => {
  await using node = await startNode({ kind: 'synthetic' })
  expect(await node.run(node.open({ durationMs: 500 }))).toEqual({
    kind: 'opened',
    serverVersion: null,
    dialect: 'bracket',
    role: 'primary',
    policy: {
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      keyFingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    },
  })
  await node.begin()
  const { end, counters } = await node.end()
  expect(end).toEqual({ outcome: 'completed', reason: 'duration_cap', detail: null })
  expect(counters.recorded).toBeGreaterThan(20)
  expect(counters).toMatchObject({ malformed: 0, cut: 0 })
  expect(await node.manifest()).toEqual(node.store.manifestOf(node.key()))
})

test('a server that accepts connections and says nothing is refused in five seconds', async () => {
  const sockets: { destroy(): void }[] = []
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  {
    await using node = await startNode({ kind: 'server', address: { host: '127.0.0.1', port, tls: false } })
    const begun = performance.now()
    const answer = await node.run(node.open())
    expect(answer).toMatchObject({ kind: 'refused', detail: expect.any(String) })
    expect(performance.now() - begun).toBeLessThan(7000)
  }
  for (const socket of sockets) socket.destroy()
  server.close()
})

redisTest('a connection that breaks is opened again: the segment goes on, and tells the gap', async () => {
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  using traffic = await startTraffic(redis)
  await node.run(node.open())
  await node.begin()
  await traffic.write(100, 'before')
  await poll(() => node.reports.some(({ counters }) => counters.recorded === 100), { what: 'the lines to be read' })
  await endMonitors(redis)
  await poll(async () => (await monitors(redis)) === 1, { what: 'the monitor to be back' })
  await traffic.write(100, 'after')
  await node.stop()
  const { end, counters, gaps } = await node.end()
  expect(end).toMatchObject({ outcome: 'completed', reason: 'manual_stop' })
  expect(gaps).toMatchObject([{ gapNo: 0, reason: 'connection_lost', missing: null, lostLines: null }])
  const [gap] = gaps ?? []
  expect(gap?.firstEventUs).toBeGreaterThan(gap?.lastEventUs ?? Number.MAX_SAFE_INTEGER)
  expect(counters.recorded).toBe(200)
  await node.manifest()
  const keys = [...node.store.linesOf(node.key()).matchAll(/"((?:before|after):\d+)"/g)].map(([, key]) => key)
  const numbered = (tag: string) => Array.from({ length: 100 }, (_, index) => `${tag}:${index}`)
  expect(keys.toSorted()).toEqual([...numbered('before'), ...numbered('after')].toSorted())
})

redisTest(
  'a segment that is stopped while its connection is being opened again ends with a gap to its end',
  async () => {
    await using redis = await startRedis()
    await using node = await startNodeAt(redis)
    using traffic = await startTraffic(redis)
    await node.run(node.open())
    await node.begin()
    await traffic.write(1, 'k')
    await poll(() => node.reports.some(({ counters }) => counters.recorded === 1), { what: 'the line to be read' })
    redis.kill()
    await redis.exited
    await node.stop()
    const { end, gaps } = await node.end()
    expect(end?.reason).toBe('manual_stop')
    expect(gaps).toMatchObject([{ reason: 'connection_lost', firstEventUs: null }])
  },
)
