import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startRedis, startProgram, poll } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { monitors } from './node.ts'

/** Fills 60 MB of the server's 150 MB, so that keys must go when a reader's output takes the rest. */
const KEYS = 100_000
const VALUE = 'x'.repeat(512)

/** Writes values as fast as the server takes them: a client library is no load for it. */
const writeKeys = async (port: number, count: number): Promise<void> => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let answered = 0
  const done = Promise.withResolvers<void>()
  socket.on('data', (bytes) => {
    answered += bytes.length / '+OK\r\n'.length
    if (answered >= count) done.resolve()
  })
  socket.once('close', () => done.reject(new Error('the server closed the connection of the writer')))
  for (let from = 0; from < count; from += 1000) {
    const commands = Array.from({ length: 1000 }, (_, index) => {
      const key = `k${(from + index) % KEYS}`
      return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE.length}\r\n${VALUE}\r\n`
    })
    if (!socket.write(commands.join(''))) await once(socket, 'drain')
  }
  await done.promise
  socket.destroy()
}

redisTest('a daemon that stops reading is cut off before its server evicts a key', { timeout: 90_000 }, async () => {
  await using redis = await startRedis({ args: ['--maxmemory', '150mb', '--maxmemory-policy', 'allkeys-lru'] })
  const reader = await startProgram({
    name: 'blocked-reader',
    main: fileURLToPath(new URL('blocked-reader.ts', import.meta.url)),
    args: [redis.url],
    env: { BLOCKED_MS: '20000' },
    logs: [],
    readyOf: (message) => ('kind' in message && message.kind === 'reading' ? true : undefined),
  })
  await using scope = new AsyncDisposableStack()
  scope.defer(() => reader.kill('SIGKILL'))
  const told = once(reader.child, 'message')
  await writeKeys(redis.port, 3 * KEYS)

  expect(await monitors(redis)).toBe(0)
  expect(String(await redis.command('INFO', 'stats'))).toContain('evicted_keys:0')
  const [end] = (await told) as [object]
  expect(end).toMatchObject({ kind: 'ended', reason: 'impact_limit', detail: expect.stringMatching(/^omem: /) })
  await poll(async () => !String(await redis.command('CLIENT', 'LIST')).includes('name=sonde:'), {
    what: 'the connections of the daemon to be gone',
  })
})
