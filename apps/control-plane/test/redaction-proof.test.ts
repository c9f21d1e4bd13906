import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decompressLines } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import type { KeyPattern, RedactionLevel } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { poll, startControlPlane, startDaemon, startFaultProxy, startRedis, type RedisProcess } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { makeNodeToken, makePerson, makeSession } from './support.ts'
import { linesOfChunks, saidOn } from './wire-text.ts'

const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('server', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const server = await startControlPlane({ databaseUrl, env: { SONDE_LOG_LEVEL: 'debug' } })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })
  .extend('owner', ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('stateDir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-redaction-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })

/** Planted where each level may keep it, and where none may. */
const PLANTED = {
  value: 'planted-value-7f3a',
  field: 'planted-field-1c9e',
  script: 'planted-script-b2d4',
  argument: 'planted-argument-55e0',
  unknown: 'planted-unknown-d00d',
  email: 'planted.person@mail.example.org',
}
const SECRETS = { password: 'planted-password-9b1f', hello: 'planted-hello-4a7d', migrate: 'planted-migrate-0e6c' }

const plant = async (redis: RedisProcess): Promise<void> => {
  const { value, field, script, argument, unknown, email } = PLANTED
  const quietly = (...args: string[]) => redis.command(...args).catch(() => undefined)
  await redis.command('SET', 'kept:key', value, 'EX', '100')
  await redis.command('HSET', 'kept:hash', field, value)
  await redis.command('XADD', 'kept:stream', '*', field, value)
  await redis.command('EVAL', `return redis.call('set', KEYS[1], ARGV[1]) -- ${script}`, '1', 'kept:lua', argument)
  await redis.command('PUBLISH', 'channel', value)
  await redis.command('GET', `kept:${email}:profile`)
  await redis.command('ECHO', unknown)
  await quietly('AUTH', SECRETS.password)
  await quietly('HELLO', '2', 'AUTH', 'someone', SECRETS.hello)
  await quietly('MIGRATE', '127.0.0.1', '1', 'kept:key', '0', '10', 'AUTH', SECRETS.migrate)
}
/** MONITOR lines of what is planted, with the line that each inner call of the script makes. */
const LINES = 10

const filesIn = (dir: string): Buffer[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path))

const textOfFiles = async (dir: string): Promise<string> => {
  const texts = await Promise.all(
    filesIn(dir).map(async (bytes) => bytes.toString('latin1') + (await linesOfChunks(bytes))),
  )
  return texts.join('\n')
}

/** Every row of every table as text, and the lines of the stored chunks. */
const textOfDatabase = async ({ db }: Database): Promise<string> => {
  const tables = await sql<{ name: string }>`
    select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`.execute(db)
  const texts: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ row: string }>`select to_jsonb(t)::text as row from ${sql.raw(name)} t`.execute(db)
    texts.push(...rows.map(({ row }) => row))
  }
  const chunks = await db.selectFrom('capture_chunks').select(['encoding', 'raw_bytes', 'body']).execute()
  for (const { encoding, raw_bytes: rawBytes, body } of chunks) {
    texts.push((await decompressLines(encoding as 0 | 1, body, rawBytes)).toString('latin1'))
  }
  return texts.join('\n')
}

const foundIn = (text: string, planted: Record<string, string>): string[] =>
  Object.entries(planted).flatMap(([name, secret]) => {
    const forms = [secret, ...['base64', 'hex'].map((form) => Buffer.from(secret).toString(form as 'base64' | 'hex'))]
    return forms.some((form) => text.includes(form)) ? [name] : []
  })

test.for<{ level: RedactionLevel; keyPatterns: KeyPattern[]; found: string[] }>([
  { level: 'full', keyPatterns: ['email'], found: [] },
  { level: 'keys', keyPatterns: [], found: [] },
  // Shows that the search would find what is there.
  { level: 'none', keyPatterns: [], found: ['value', 'field', 'script', 'argument', 'unknown', 'email'] },
])(
  'under level $level exactly $found of what was planted leave the daemon, and no password at any',
  { timeout: 120_000 },
  async ({ level, keyPatterns, found }, { server, owner, sessionId, stateDir, rpc, database }) => {
    const said = new Map<number, Buffer[]>()
    await using redis = await startRedis()
    await using proxy = await startFaultProxy({ port: Number(new URL(server.url).port) }, (bytes, connection) => {
      said.set(connection, [...(said.get(connection) ?? []), Buffer.from(bytes)])
    })
    await using daemon = await startDaemon({
      url: `http://127.0.0.1:${proxy.port}`,
      token: await makeNodeToken(database, owner, sessionId),
      stateDir,
      sources: ['--target', redis.url],
      env: { SONDE_LOG_LEVEL: 'debug' },
    })
    await rpc.policies.set.mutate({ sessionId, rules: { level, keyPatterns } })
    const scope = { kind: 'primaries' as const }
    const isDeclared = async () => (await rpc.targets.list.query({ sessionId })).targets.length > 0
    await poll(isDeclared, { what: 'the target to be declared' })
    const { capture } = await rpc.captures.start.mutate({ sessionId, scope, durationMs: 60_000 })
    // Nothing can be shipped, so that the spool holds what is read.
    proxy.pause()
    await plant(redis)
    const spooled = await poll(
      async () => {
        const text = await textOfFiles(stateDir)
        return text.split('\n').filter((line) => /\] "PUBLISH"|\] "ECHO"/.test(line)).length >= 2 && text
      },
      { what: 'the lines to be in the spool', timeoutMs: 20_000 },
    )
    await proxy.resume()
    const stopped = await poll(
      async () => {
        const now = await rpc.captures.stop.mutate({ id: capture.id })
        return now.status !== 'running' && now
      },
      { what: 'the capture to end', timeoutMs: 60_000 },
    )
    expect(stopped.segments[0]!.lineCount).toBeGreaterThanOrEqual(LINES)
    expect(stopped).toMatchObject({ policyLevel: level, policyRevision: 2 })
    expect(stopped.segments[0]!.redactionKey).toMatch(/^[0-9a-f]{16}$/)

    const chunkRows = await database.db
      .selectFrom('capture_chunks')
      .select('policy_revision')
      .where('capture_id', '=', capture.id)
      .execute()
    expect(new Set(chunkRows.map(({ policy_revision: revision }) => revision))).toEqual(new Set([2]))

    const sent = [...said.values()].map((parts) => Buffer.concat(parts))
    const chunks = await Promise.all(sent.map(linesOfChunks))
    expect(chunks.join('')).toContain('"SET"')
    const places = {
      spool: spooled,
      wire: [...sent.map(saidOn), ...chunks].join('\n'),
      database: await textOfDatabase(database),
    }
    for (const [place, text] of Object.entries(places)) {
      expect({ place, found: foundIn(text, PLANTED) }).toEqual({ place, found })
      expect({ place, found: foundIn(text, SECRETS) }).toEqual({ place, found: [] })
    }
    const logs = JSON.stringify([...daemon.logs, ...server.logs])
    expect(foundIn(logs, { ...PLANTED, ...SECRETS })).toEqual([])
    // The key stays where it is, readable by its owner alone.
    const key = readFileSync(join(stateDir, 'redaction-key'), 'utf8').trim()
    expect(statSync(join(stateDir, 'redaction-key')).mode & 0o777).toBe(0o600)
    expect(foundIn([places.wire, places.database, logs].join('\n'), { key })).toEqual([])
  },
)
