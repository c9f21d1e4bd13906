import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { poll, startDaemon, startRedis } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

/** Thirty runs of the program, on a machine that may be busy. */
const TIMEOUT_MS = 180_000
const KEYS = 600
const VALUE = 'v'.repeat(1500)

const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('served', { scope: 'file' }, serve)
  .extend('dir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-read-back-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })

/** Forwards to a port, and breaks each connection after so many bytes of answers. */
const startCuttingProxy = async (port: number, afterBytes: number) => {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let passed = 0
    client.on('data', (bytes) => upstream.write(bytes)).on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.on('close', () => upstream.destroy())
    upstream.on('data', (bytes) => {
      passed += bytes.length
      client.write(bytes, () => passed > afterBytes && client.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

/** A capture of `KEYS` writes and as many reads. */
const record = async (env: Record<string, string>, redisUrl: string): Promise<string> => {
  const start = await sonde(['capture', 'start', '--all-primaries', '--duration', '2m'], env)
  const id = start.stdout.trim()
  const client = createClient({ url: redisUrl })
  await client.connect()
  // One after another: a burst may cost the server more than a capture is allowed to, on a machine that is busy.
  for (let n = 0; n < KEYS; n += 1) {
    await client.set(`key:${n}`, VALUE)
    await client.get(`key:${n}`)
  }
  await client.sendCommand(['SET', 'formula', '=1+1'])
  client.destroy()
  const stopped = await sonde(['capture', 'stop', id, '--json'], env)
  expect(JSON.parse(stopped.stdout)).toMatchObject({ status: 'completed' })
  return id
}

test(
  'an export goes on after a break, a tail takes a filter, a replay writes what was declared, and all of it is on record',
  { timeout: TIMEOUT_MS },
  async ({ served: { server, env }, dir }) => {
    await using redis = await startRedis()
    const made = await sonde(['token', 'create', '--kind', 'node', '--name', 'n', '--json'], env)
    const { token } = JSON.parse(made.stdout) as { token: string }
    await using _daemon = await startDaemon({
      url: server.url,
      token,
      stateDir: join(dir, 'state'),
      sources: [],
      env: { SONDE_TARGETS: redis.url },
    })
    await poll(async () => (await sonde(['capture', 'targets'], env)).stdout.includes(`:${redis.port}`), {
      what: 'the server to be known',
      timeoutMs: 60_000,
    })
    const redacted = await record(env, redis.url)
    await sonde(['session', 'redaction', '--level', 'none'], env)
    const id = await record(env, redis.url)

    const csv = join(dir, 'lines.csv')
    const args = ['export', id, '--format', 'csv', '-o', csv, '--resume']
    await using cutting = await startCuttingProxy(Number(new URL(server.url).port), 400_000)
    const broken = await sonde(args, { ...env, SONDE_URL: cutting.url })
    expect(broken).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: The export broke off after .*goes on/),
    })
    expect(readdirSync(dir).toSorted()).toEqual(['lines.csv.part', 'lines.csv.part.json', 'state'])
    const other = await sonde(['export', id, '--format', 'raw', '-o', csv, '--resume'], env)
    expect(other).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('lines.csv.part is the beginning of another export'),
    })
    const whole = await sonde(args, env)
    expect(whole).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Going on behind .*KiB\.\n.*lines\.csv: /) })
    expect(readdirSync(dir).toSorted()).toEqual(['lines.csv', 'state'])
    const plain = await sonde(['export', id, '--format', 'csv'], env)
    expect(readFileSync(csv, 'utf8')).toBe(plain.stdout)
    expect(plain.stdout).toContain(',"[""formula"",""=1+1""]","[""formula""]"\r\n')

    const parquet = join(dir, 'lines.parquet')
    const asJson = await sonde(
      ['export', id, '--format', 'parquet', '-o', parquet, '--filter', 'cmd:GET', '--gzip', '--json'],
      env,
    )
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      format: 'parquet',
      export: { filter: 'cmd:GET', gaps: { count: 0 } },
    })
    expect(readFileSync(parquet).subarray(0, 4).toString()).toBe('PAR1')
    const bad = join(dir, 'missing', 'f')
    const refused = await sonde(['export', id, '-o', bad], env)
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is no such file or folder: ${bad}\n`),
    })
    expect(existsSync(bad)).toBe(false)

    const found = await sonde(['tail', id, '--filter', 'cmd:SET key:key:7', '--json'], env)
    expect(
      found.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ cmd: 'SET', args: ['key:7', VALUE], keys: ['key:7'] }])
    const column = await sonde(['tail', id, '--filter', 'cmd:GET and'], env)
    expect(column).toMatchObject({ code: 2, stderr: expect.stringContaining('column 12') })

    await using to = await startRedis()
    const replay = (more: string[], capture = id) =>
      sonde(['replay', capture, '--speed', 'max', ...more], { ...env, SONDE_REPLAY_TO: to.url })
    const dry = await replay(['--commands', '@read,@write', '--show', '1'])
    expect(dry.code).toBe(0)
    expect(dry.stdout).toMatch(
      /^db 0 {2}"SET" "key:0" "v+…\nCOMMAND .*\nSET +601 +yes\s*\nGET +600 +no\s*\n1,201 commands/,
    )
    expect(dry.stderr).toContain('Nothing was sent. --yes sends 1,201 commands, of which 601 may write.')
    expect(await to.command('DBSIZE')).toBe(0)

    // Writes are sent when they are declared, and never otherwise.
    const reads = await replay(['--yes', '--json'])
    expect(JSON.parse(reads.stdout)).toMatchObject({
      sent: KEYS,
      writes: 0,
      errors: 0,
      skipped: { undeclared: KEYS + 1 },
    })
    expect(await to.command('DBSIZE')).toBe(0)
    const some = await replay(['--yes', '--json', '--commands', 'set', '--filter', 'key:key:1*'])
    expect(JSON.parse(some.stdout)).toMatchObject({ sent: 111, writes: 111, errors: 0 })
    expect(await to.command('DBSIZE')).toBe(111)
    expect(await to.command('GET', 'key:17')).toBe(VALUE)
    expect(some.stderr + some.stdout).not.toContain(VALUE)

    const masked = await replay(['--yes', '--commands', 'set'], redacted)
    expect(masked).toMatchObject({ code: 2, stderr: expect.stringContaining('The capture is redacted (level full)') })
    const allowed = await replay(['--yes', '--commands', 'set', '--filter', 'key:key:22', '--allow-redacted'], redacted)
    expect(allowed.code).toBe(0)
    expect(await to.command('STRLEN', 'key:22')).toBe(VALUE.length)
    expect(await to.command('GET', 'key:22')).not.toBe(VALUE)
    const nowhere = await sonde(['replay', id, '--to', 'redis://u:hunter2@127.0.0.1:1', '--yes'], env)
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: 127\.0\.0\.1:1 cannot be used: /) })
    expect(nowhere.stderr).not.toContain('hunter2')

    const recorded = await sonde(['capture', 'reads', '--capture', id, '--json'], env)
    const { reads: all } = JSON.parse(recorded.stdout) as {
      reads: { kind: string; format: string | null; outcome: string }[]
    }
    expect(all.filter(({ kind }) => kind === 'tail')).toMatchObject([
      { filter: 'cmd:SET key:key:7', lines: 1, outcome: 'complete' },
    ])
    const csvs = all.filter(({ format }) => format === 'csv').map(({ outcome }) => outcome)
    expect(csvs).toEqual(['complete', 'complete', 'stopped'])
    const table = await sonde(['capture', 'reads', '--limit', '2'], env)
    expect(table.stdout).toMatch(/^STARTED +WHO +WHAT .*\n.* Ada +export jsonl /)
    expect(table.stderr).toMatch(/^More: --cursor \S+$/m)
  },
)
