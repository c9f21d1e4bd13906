import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { analysisDiffSchema, crossReferenceSchema } from '@sonde/contracts'
import { poll, startDaemon, startRedis } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { serve } from '../test-served.ts'
import { sonde } from '../test-sonde.ts'

/** Some ten runs of the program and two captures, on a machine that may be busy. */
const TIMEOUT_MS = 180_000

const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('served', { scope: 'file' }, serve)
  .extend('dir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-analysis-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })

test(
  'what a daemon recorded twice is compared: in tables, as JSON, as Markdown, and as history',
  { timeout: TIMEOUT_MS },
  async ({ served: { server, env }, dir }) => {
    await using redis = await startRedis()
    const made = await sonde(['token', 'create', '--kind', 'node', '--name', 'n', '--json'], env)
    const { token } = JSON.parse(made.stdout) as { token: string }
    const targets = { SONDE_TARGETS: redis.url }
    const stateDir = join(dir, 'state')
    await using _daemon = await startDaemon({ url: server.url, token, stateDir, sources: [], env: targets })
    await poll(async () => (await sonde(['capture', 'targets'], env)).stdout.includes(`:${redis.port}`), {
      what: 'the server to be known',
      timeoutMs: 60_000,
    })
    const client = createClient({ url: redis.url })
    await client.connect()
    const record = async (work: () => Promise<unknown>): Promise<string> => {
      const id = (await sonde(['capture', 'start', '--all-primaries', '--duration', '2m'], env)).stdout.trim()
      await work()
      await sonde(['capture', 'stop', id], env)
      return id
    }
    const a = await record(async () => {
      for (let index = 0; index < 30; index += 1) await client.get(`user:${index}`)
    })
    const b = await record(async () => {
      for (let index = 0; index < 30; index += 1) await client.get(`user:${index}`)
      for (let index = 0; index < 30; index += 1) await client.del(`cart:${index}|x`)
    })
    client.destroy()

    const text = await sonde(['diff', b, a], env)
    expect(text.code).toBe(0)
    expect(text.stdout).toMatch(/^A +\S+ +\d+ /m)
    expect(text.stdout).toMatch(/^only A( \(rare\))? +DEL 1 cart:\{n\}\|x +\S+ +0 +30 +0$/m)
    expect(text.stdout).not.toMatch(/^only \w.* GET 1 user:\{n\}/m)
    const json = analysisDiffSchema.parse(JSON.parse((await sonde(['diff', a, b, '--json'], env)).stdout))
    const found = json.shapes.rows.find((row) => row.text === 'DEL 1 cart:{n}|x')
    expect(found).toMatchObject({
      change: 'onlyB',
      a: { count: 0 },
      b: { count: 30 },
      filter: 'cmd:DEL and key:cart:*|x',
    })
    const markdown = await sonde(['diff', b, a, '--markdown'], env)
    expect(markdown.stdout).toMatch(/^\| only A[^|]* \| `DEL 1 cart:\{n\}\\\|x` \|/m)
    expect((await sonde(['diff', a, a], env)).stderr).toContain('The two are one capture: nothing differs.')

    const xref = await sonde(['xref', b], env)
    expect(xref.stdout).toMatch(/^new( \(rare\))? +DEL 1 cart:\{n\}\|x /m)
    expect(xref.stderr).toContain('Not judged: slow.')
    const history = crossReferenceSchema.parse(
      JSON.parse((await sonde(['xref', b, '--against', '6h', '--json'], env)).stdout),
    )
    expect(history).toMatchObject({ baseline: { window: '6h' }, b: { captureIds: [a] } })
    expect((await sonde(['xref', a], env)).stderr).toContain('there is nothing to compare with')

    const wrong = await sonde(['xref', b, '--against', 'yesterday'], env)
    expect(wrong.code).toBe(2)
    const both = await sonde(['diff', a, b, '--json', '--markdown'], env)
    expect(both.stderr).toContain('choose one')
  },
)
