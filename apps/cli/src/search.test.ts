import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { poll, startDaemon, startRedis } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { splitArguments } from './search.ts'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

/** Some twenty runs of the program, on a machine that may be busy. */
const TIMEOUT_MS = 180_000
const ID = '01930f2e-7c1a-7a00-8000-0123456789ab'

const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('served', { scope: 'file' }, serve)
  .extend('dir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-search-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })

dbTest('ids come before the filter, whose words need no quotes', () => {
  expect(splitArguments([ID, ID, 'cmd:GET', 'key:a'])).toEqual({ ids: [ID, ID], filter: 'cmd:GET key:a' })
  expect(splitArguments([ID])).toEqual({ ids: [ID], filter: '' })
  expect(() => splitArguments(['cmd:GET'])).toThrow('Name a capture before the filter')
})

test(
  'a search of what a daemon recorded prints lines, counts and facets, and goes on by its cursor',
  { timeout: TIMEOUT_MS },
  async ({ served: { server, env }, dir }) => {
    await using redis = await startRedis()
    const made = await sonde(['token', 'create', '--kind', 'node', '--name', 'n', '--json'], env)
    const { token } = JSON.parse(made.stdout) as { token: string }
    const stateDir = join(dir, 'state')
    const targets = { SONDE_TARGETS: redis.url }
    await using _daemon = await startDaemon({ url: server.url, token, stateDir, sources: [], env: targets })
    await poll(async () => (await sonde(['capture', 'targets'], env)).stdout.includes(`:${redis.port}`), {
      what: 'the server to be known',
      timeoutMs: 60_000,
    })
    const id = (await sonde(['capture', 'start', '--all-primaries', '--duration', '2m'], env)).stdout.trim()
    const client = createClient({ url: redis.url })
    await client.connect()
    for (const key of ['user:1', 'user:2', 'cart:1']) await client.set(key, 'v')
    await client.get('user:1')
    client.destroy()
    const search = (...args: string[]) => sonde(['search', id, ...args], env)
    await poll(async () => (await search('cmd:GET', 'key:user:1', '--limit', '1')).stdout.includes('"user:1"'), {
      what: 'the lines to be stored',
      timeoutMs: 60_000,
    })

    const running = await search('key:*', '--facets')
    expect(running.stdout.match(/^\d\d:\d\d:\d\d\.\d{6} \S+ 0 "[SG]ET" "\w+:\d"/gim)).toHaveLength(4)
    expect(running.stdout).toMatch(/^COMMAND +LINES\s+SET +3\s+GET +1$/m)
    expect(running.stdout).toMatch(/^KEY PREFIX +LINES\s+user: +3\s+cart: +1$/m)
    expect(running.stderr).toContain('4 lines match.\n')
    expect(running.stderr).toMatch(/^Segment 0 \(\S+\) may have more: its lines are still coming in\.$/m)
    await sonde(['capture', 'stop', id], env)

    const first = await search('key:*', '--limit', '3', '--json')
    const page = JSON.parse(first.stdout) as { lines: unknown[]; nextCursor: string }
    const total = { lines: 4, estimated: false }
    expect(page).toMatchObject({ lines: [{ capture: id, segment: 0 }, {}, {}], total, incomplete: [] })
    const rest = await search('key:*', '--cursor', page.nextCursor)
    expect(rest.stdout).toMatch(/^\S+ \S+ 0 "get" "user:1"\n$/i)
    expect(rest.stderr).not.toContain('cursor:')

    const absent = await search('key:no:such', '--plan')
    expect(absent.stdout).toBe('')
    expect(absent.stderr).toMatch(/^0 lines match\.\nOf (\d+) chunks? \1 cannot match and 0 were read/)
    const wrong = await search('key:*', '(')
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('column')
  },
)
