import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '@sonde/database'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { portOf } from './free-port.ts'
import { poll } from './poll.ts'
import { startPostgres, type EmbeddedPostgres } from './postgres.ts'
import { postmasterFile } from './postmaster.ts'
import { isAlive } from './process-identity.ts'

const temporary = (mode = 0o755): { dataDir: string; home: string } & Disposable => {
  const home = mkdtempSync(join(tmpdir(), 'sonde-launcher-'))
  // Open for the server's unprivileged user, where the tests run as root.
  chmodSync(home, mode)
  return {
    home,
    dataDir: join(home, 'data'),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

const query = async <T>(server: EmbeddedPostgres, statement: string): Promise<T[]> => {
  await using database = openDatabase({ url: server.url, maxConnections: 1 })
  return (await sql.raw<T>(statement).execute(database.db)).rows
}

const runScript = (body: string, argument: string) => {
  const launcher = JSON.stringify(fileURLToPath(new URL('index.ts', import.meta.url)))
  return spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { startPostgres, guardProcess } = await import(${launcher})\n${body}`,
      argument,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

const firstNumber = async (child: ReturnType<typeof runScript>): Promise<number> => {
  for await (const text of child.stdout.setEncoding('utf8')) return Number(text)
  throw new Error('The script ended without a word')
}

test('a later start keeps the data and the password', async () => {
  using place = temporary()
  {
    await using server = await startPostgres({ dataDir: place.dataDir, durable: true })
    await query(server, 'create table kept as select 42 as answer')
    expect(await query(server, 'show fsync')).toEqual([{ fsync: 'on' }])
  }
  expect(existsSync(postmasterFile(place.dataDir))).toBe(false)
  await using again = await startPostgres({ dataDir: place.dataDir, durable: true })
  expect(again.reused).toBe(false)
  expect(await query(again, 'select answer from kept')).toEqual([{ answer: 42 }])
})

test('a server that still runs is taken over, and stopped by its new owner', async () => {
  using place = temporary()
  await using first = await startPostgres({ dataDir: place.dataDir, durable: false })
  {
    await using second = await startPostgres({ dataDir: place.dataDir, durable: false })
    expect(second).toMatchObject({ pid: first.pid, url: first.url, reused: true })
  }
  await expect(query(first, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
})

test('starters that race for one new directory end up with one server', async () => {
  using place = temporary()
  const script = `const server = await startPostgres({ dataDir: process.argv[1], durable: false })
    console.log(server.pid)
    process.exit(0)`
  const pids = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = runScript(script, place.dataDir)
      const exited = once(child, 'exit')
      const pid = await firstNumber(child)
      await exited
      return pid
    }),
  )
  await using server = await startPostgres({ dataDir: place.dataDir, durable: false })
  expect(new Set([...pids, server.pid]).size).toBe(1)
  expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('after a kill -9 of the server the next start recovers what was committed', async () => {
  using place = temporary()
  const killed = await startPostgres({ dataDir: place.dataDir, durable: true })
  await query(killed, 'create table kept as select 7 as answer')
  process.kill(killed.pid, 'SIGKILL')
  await using server = await startPostgres({ dataDir: place.dataDir, durable: true })
  expect(server.pid).not.toBe(killed.pid)
  expect(await query(server, 'select answer from kept')).toEqual([{ answer: 7 }])
})

test('a postmaster.pid whose pid was given to another program is removed', async () => {
  using place = temporary()
  const killed = await startPostgres({ dataDir: place.dataDir, durable: false })
  const lines = readFileSync(postmasterFile(place.dataDir), 'utf8').split('\n')
  await killed[Symbol.asyncDispose]()
  writeFileSync(postmasterFile(place.dataDir), [process.pid, ...lines.slice(1)].join('\n'))
  await using server = await startPostgres({ dataDir: place.dataDir, durable: false })
  expect(server.reused).toBe(false)
  expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('an initdb that was killed half way is made anew', async () => {
  using place = temporary()
  const starter = runScript('await startPostgres({ dataDir: process.argv[1], durable: false })', place.dataDir)
  const exited = once(starter, 'exit')
  await poll(() => readdirSync(place.home).some((name) => name.includes('.init-') && !name.endsWith('password')), {
    what: 'initdb to begin',
    everyMs: 1,
  })
  starter.kill('SIGKILL')
  await exited
  expect(existsSync(place.dataDir)).toBe(false)
  await using server = await startPostgres({ dataDir: place.dataDir, durable: false })
  expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }])
  expect(readdirSync(place.home).toSorted()).toEqual(['data', 'data.log'])
})

test('a folder with other content is refused and left alone', async () => {
  using place = temporary()
  mkdirSync(place.dataDir)
  writeFileSync(join(place.dataDir, 'letter.txt'), 'dear reader')
  await expect(startPostgres({ dataDir: place.dataDir, durable: false })).rejects.toThrow(/holds no PostgreSQL data/)
  expect(readdirSync(place.dataDir)).toEqual(['letter.txt'])
})

test('a server that does not come up is reported in its own words', async () => {
  using place = temporary()
  await (await startPostgres({ dataDir: place.dataDir, durable: false }))[Symbol.asyncDispose]()
  writeFileSync(join(place.dataDir, 'postgresql.auto.conf'), 'no_such_setting = 1\n')
  await expect(startPostgres({ dataDir: place.dataDir, durable: false })).rejects.toThrow(
    /did not start[^]*unrecognized configuration parameter "no_such_setting"/,
  )
})

test('a port that is taken is reported, not replaced, when it was asked for', async () => {
  using place = temporary()
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const port = portOf(squatter)
  await expect(startPostgres({ dataDir: place.dataDir, durable: false, port })).rejects.toThrow(
    /Address already in use/,
  )
  squatter.close()
})

test('nobody comes in without the password', async () => {
  using place = temporary()
  await using server = await startPostgres({ dataDir: place.dataDir, durable: false })
  const url = server.url.replace(/:[0-9a-f]{48}@/, ':guess@')
  await expect(query({ ...server, url }, 'select 1')).rejects.toThrow(/password authentication failed/)
})

test('a guarded server ends, and its data goes, when the process that started it is killed', async () => {
  using place = temporary()
  const script = `const server = await startPostgres({ dataDir: process.argv[1], durable: false })
    guardProcess(server.pid, { signal: 'SIGQUIT', remove: [server.dataDir] })
    console.log(server.pid)
    setInterval(() => {}, 1000)`
  const starter = runScript(script, place.dataDir)
  const pid = await firstNumber(starter)
  expect(isAlive(pid)).toBe(true)
  starter.kill('SIGKILL')
  await poll(() => !isAlive(pid) && !existsSync(place.dataDir), { what: 'the guard to end the server' })
})

test.skipIf(process.getuid?.() !== 0)(
  'as root, data that nobody could reach goes to a named place that is found again',
  async () => {
    using place = temporary(0o700)
    const lines: string[] = []
    const log = (line: string): void => void lines.push(line)
    const first = await startPostgres({ dataDir: place.dataDir, durable: false, log })
    try {
      expect(first.dataDir).toMatch(/^\/var\/lib\/sonde\/[0-9a-f]{12}\/data-[0-9a-f]{12}$/)
      expect(lines.join()).toContain('/var/lib/sonde/')
      const second = await startPostgres({ dataDir: place.dataDir, durable: false })
      expect(second).toMatchObject({ dataDir: first.dataDir, reused: true })
    } finally {
      await first[Symbol.asyncDispose]()
      for (const path of [first.dataDir, `${first.dataDir}.log`]) rmSync(path, { recursive: true, force: true })
    }
  },
)
