import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SondeError } from '@sonde/contracts'
import { freePort, portOf } from '@sonde/testing'
import { createTestDatabase } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { migrate, migrationStatus } from './migrate.ts'
import { readMigrationFiles } from './migration-files.ts'
import { openDatabase } from './open.ts'

const folder = async (files: Record<string, string>): Promise<{ dir: string } & AsyncDisposable> => {
  const dir = await mkdtemp(join(tmpdir(), 'sonde-migrations-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

const FIRST = '-- One table.\ncreate table one (id int primary key);\n'
const SECOND = '-- A function with a body.\ncreate function two() returns int language sql as $$ select 2; $$;\n'

const tablesOf = async (url: string): Promise<string[]> => {
  await using database = openDatabase({ url, maxConnections: 1 })
  const found = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public' order by 1`.execute(
    database.db,
  )
  return found.rows.map((row) => row.name)
}

const failureOf = async (work: Promise<unknown>): Promise<SondeError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SondeError)) throw new Error(`Expected a SondeError, got ${String(error)}`)
  return error
}

const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
const int32 = (value: number): Buffer => Buffer.from([0, 0, value >> 8, value & 0xff])
const message = (type: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}
const column = (name: string, type: number): Buffer =>
  Buffer.concat([Buffer.from(`${name}\0`), int32(0), int16(0), int32(type), int16(4), int32(0), int16(0)])
const value = (text: string): Buffer => Buffer.concat([int32(text.length), Buffer.from(text)])

/** Speaks just enough of the protocol to say, to any query, that it is PostgreSQL 14.11: no such server comes from npm. */
const startOldServer = async (): Promise<{ url: string } & AsyncDisposable> => {
  const ready = message('Z', Buffer.from('I'))
  const answer = Buffer.concat([
    message('T', int16(2), column('number', 23), column('text', 25)),
    message('D', int16(2), value('140011'), value('14.11')),
    message('C', Buffer.from('SELECT 1\0')),
    ready,
  ])
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int32(0)), ready]))
      socket.on('data', (data) => socket.write(data[0] === 0x51 ? answer : ''))
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `postgres://someone@127.0.0.1:${portOf(server)}/old`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

test('an empty database gets every migration in order, and a second run applies nothing', async () => {
  await using database = await createTestDatabase({ empty: true })
  const files = await readMigrationFiles()
  const first = await migrate(database.url)
  expect(first.applied).toEqual(files.map((file) => file.fileName))
  expect(first.applied.length).toBeGreaterThanOrEqual(4)
  expect(await migrate(database.url)).toEqual({ applied: [] })
  const status = await migrationStatus(database.url, { requireCurrent: true })
  expect(status.map((entry) => [entry.version, entry.state])).toEqual(files.map((file) => [file.version, 'applied']))
})

test('of eight runners at once each migration is applied by exactly one', async () => {
  await using database = await createTestDatabase({ empty: true })
  const results = await Promise.all(Array.from({ length: 8 }, () => migrate(database.url)))
  const files = await readMigrationFiles()
  expect(results.flatMap((result) => result.applied).toSorted()).toEqual(files.map((file) => file.fileName))
})

test('an edited migration is refused by its name, before a pending one is applied', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({ '0001_one.sql': FIRST })
  await migrate(database.url, files)
  await writeFile(join(files.dir, '0001_one.sql'), `${FIRST}-- A harmless remark.\n`)
  await writeFile(join(files.dir, '0002_two.sql'), '-- Another.\ncreate table two (id int);\n')
  const failure = await failureOf(migrate(database.url, files))
  expect(failure.code).toBe('migration.edited')
  expect(failure.message).toContain('0001_one.sql')
  expect(await tablesOf(database.url)).toEqual(['one', 'schema_migrations'])
  expect((await migrationStatus(database.url, files)).map((entry) => entry.state)).toEqual(['edited', 'pending'])
})

test('a newer breaking schema is refused, a newer one that breaks nothing is accepted', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({ '0001_one.sql': FIRST })
  await migrate(database.url, files)
  await using newer = await folder({ '0001_one.sql': FIRST, '0002_two.sql': SECOND })
  await migrate(database.url, newer)
  expect(await migrate(database.url, files)).toEqual({ applied: [] })
  expect((await migrationStatus(database.url, files)).map((entry) => entry.state)).toEqual(['applied', 'unknown'])
  await using breaking = await folder({
    '0001_one.sql': FIRST,
    '0002_two.sql': SECOND,
    '0003_three.sql': '-- Renames the table.\n--! breaking\nalter table one rename to uno;\n',
  })
  await migrate(database.url, breaking)
  const failure = await failureOf(migrate(database.url, files))
  expect(failure.code).toBe('migration.newer_schema')
  expect(failure.message).toMatch(/migration 3 \(three\).*knows migrations up to 1/)
})

test('a failing migration leaves nothing of itself, keeps the ones before it, and names file, line and cause', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({
    '0001_one.sql': FIRST,
    '0002_bad.sql': '-- Fails in line 3.\ncreate table half (id int);\nselect nonsense;\n',
  })
  const failure = await failureOf(migrate(database.url, files))
  expect(failure.code).toBe('migration.failed')
  expect(failure.message).toMatch(/0002_bad\.sql.*column "nonsense" does not exist.*42703, line 3/)
  expect(await tablesOf(database.url)).toEqual(['one', 'schema_migrations'])
  await writeFile(join(files.dir, '0002_bad.sql'), '-- Mended.\ncreate table half (id int);\n')
  expect(await migrate(database.url, files)).toEqual({ applied: ['0002_bad.sql'] })
})

test('a full disk keeps its own code, since trying again later helps', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({
    '0001_full.sql':
      "-- Raises what a full disk raises.\ndo $$ begin raise exception 'full' using errcode = '53100'; end $$;\n",
  })
  expect((await failureOf(migrate(database.url, files))).code).toBe('database.disk_full')
})

test('status names what is pending without changing the database, and a start on it is refused', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({ '0001_one.sql': FIRST })
  expect(await migrationStatus(database.url, files)).toEqual([
    { version: 1, name: 'one', purpose: 'One table.', breaking: false, state: 'pending', appliedAt: undefined },
  ])
  expect(await tablesOf(database.url)).toEqual([])
  const failure = await failureOf(migrationStatus(database.url, { ...files, requireCurrent: true }))
  expect(failure.message).toContain('lacks 0001_one.sql. Run: sonde migrate')
})

test.each([
  ['one.sql', FIRST, 'needs a name like'],
  ['0001_one.sql', 'create table one (id int);\n', 'must be a comment'],
])('a file %s that breaks the rules is refused by its name', async (name, text, words) => {
  await using files = await folder({ [name]: text })
  const failure = await failureOf(readMigrationFiles(files.dir))
  expect(failure.message).toContain(name)
  expect(failure.message).toContain(words)
})

test('two files of one number are refused', async () => {
  await using files = await folder({ '0001_one.sql': FIRST, '0001_two.sql': SECOND })
  expect((await failureOf(readMigrationFiles(files.dir))).message).toContain('0001_one.sql and 0001_two.sql')
})

test('a server that is away gives database.unavailable with the place and without the password', async () => {
  const port = await freePort()
  const failure = await failureOf(migrate(`postgres://someone:hunter2@127.0.0.1:${port}/sonde`))
  expect(failure.code).toBe('database.unavailable')
  expect(failure.message).toContain(`127.0.0.1:${port}/sonde`)
  expect(failure.message).not.toContain('hunter2')
})

test('a server that is lost during a migration gives database.unavailable', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using files = await folder({
    '0001_cut.sql': '-- Ends its own connection.\nselect pg_terminate_backend(pg_backend_pid());\n',
  })
  expect((await failureOf(migrate(database.url, files))).code).toBe('database.unavailable')
  expect(await tablesOf(database.url)).toEqual(['schema_migrations'])
})

test('a server older than PostgreSQL 15 is refused in plain words', async () => {
  await using old = await startOldServer()
  const failure = await failureOf(migrate(old.url))
  expect(failure.code).toBe('migration.failed')
  expect(failure.message).toBe('Sonde needs PostgreSQL 15 or later; this server is 14.11.')
})
