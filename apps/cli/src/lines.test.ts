import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import type { JsonLine } from '@sonde/capture-format'
import { poll, startDaemon, startRedis } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { serve } from './test-served.ts'
import { sonde, startSonde } from './test-sonde.ts'

const BIG = 2 * 2 ** 20
/** Two dozen runs of the program, on a machine that may be busy. */
const TIMEOUT_MS = 180_000

const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('served', { scope: 'file' }, serve)
  .extend('dir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-lines-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })

test(
  'a line over the limit is marked in tail and export, and an export goes to files, links, devices, fifos and standard output',
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
    const start = ['capture', 'start', '--all-primaries', '--duration', '2m']
    const { stdout, stderr } = await sonde(start, env)
    const id = stdout.trim()
    expect(stderr).toBe('1 of 1 server takes part.\n')

    const busy = await sonde(start, env)
    expect(busy.code).toBe(1)
    expect(busy.stderr).toMatch(
      new RegExp(`^error: Capture ${id} holds \\S+:${redis.port}\\..*\n  To end it: sonde capture stop ${id}\n`),
    )
    const tooMany = await sonde([...start, '--require', '99'], env)
    expect(tooMany.code).toBe(2)
    expect(tooMany.stderr).toContain('99 targets are required, and the scope has 1.')

    const client = createClient({ url: redis.url })
    await client.connect()
    await client.set('small', 'v')
    await client.set('big', 'x'.repeat(BIG))
    await client.set('after', 'v')
    client.destroy()
    await using live = startSonde(['tail', id, '--backlog', '1'], env)
    await live.says(/"after"/)
    live.child.kill('SIGINT')
    expect(await live.exited).toBe(130)
    expect(live.stderr).toMatch(/^From about the last 1 line on, of \d+ so far: --backlog/m)
    expect(live.stderr).toMatch(/^cursor: \S+$/m)
    await sonde(['capture', 'stop', id], env)

    const tail = await sonde(['tail', id], env)
    const big = tail.stdout.split('\n').find((line) => line.includes('"big"'))
    expect(big).toMatch(/^\d\d:\d\d:\d\d\.\d{6} \S+ 0 "set" "big" .+… \([\d,]+ bytes, cut\)$/i)
    expect(tail.stderr).not.toContain('From about')
    const json = await sonde(['tail', id, '--json'], env)
    expect(json.stdout).toMatch(/^\{"ts":"\d{16}".*"args":\["big",.*\],"cut":true,"bytes":\d+\}$/m)

    const junk = await sonde(['tail', id, '--cursor', 'junk'], env)
    expect({ code: junk.code, stdout: junk.stdout }).toEqual({ code: 2, stdout: '' })
    expect(junk.stderr).toMatch(/^error: The cursor is not one of this capture\. .*\ncode: request\.invalid/m)
    expect(junk.stderr).not.toContain('cursor: junk')

    const file = join(dir, 'lines.jsonl')
    const jsonl = (output: string) => sonde(['export', id, '--format', 'jsonl', '-o', output], env)
    const toFile = await jsonl(file)
    expect(toFile.stderr).toMatch(new RegExp(`^${file}: [\\d.]+ \\w+ in `))
    const whole = readFileSync(file, 'utf8')
    const lines = whole
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonLine)
    const raw = (await sonde(['export', id], env)).stdout.split('\n').find((line) => line.includes('"big"'))
    expect(lines.filter(({ cut }) => cut)).toMatchObject([
      { client: expect.stringMatching(/^127/), db: '0', args: ['big', expect.anything()], bytes: raw?.length },
    ])
    const toStdout = await jsonl('-')
    expect(toStdout).toEqual({ code: 0, stdout: whole, stderr: '' })
    expect(existsSync('-')).toBe(false)
    expect(await jsonl('/dev/null')).toMatchObject({ code: 0, stderr: expect.stringMatching(/^\/dev\/null: /) })

    const fifo = join(dir, 'fifo')
    execFileSync('mkfifo', [fifo])
    const reader = open(fifo, 'r').then(async (handle) => {
      const text = await handle.readFile('utf8')
      await handle.close()
      return text
    })
    expect((await jsonl(fifo)).code).toBe(0)
    expect(await reader).toBe(whole)
    expect(readdirSync(dir).toSorted()).toEqual(['fifo', 'lines.jsonl', 'state'])
  },
)
