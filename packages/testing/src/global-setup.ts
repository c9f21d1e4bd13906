import { migrate, openDatabase } from '@sonde/database'
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { TestProject } from 'vitest/node'
import { administer, templateOf, urlOf, type TestRun } from './test-database.ts'
import { plainError, startTestServer } from './test-server.ts'

/** One PostgreSQL a run, migrated once into a template. Vitest calls the returned function at the end. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  await using starting = new AsyncDisposableStack()
  const server = starting.use(await startTestServer(process.env, (line) => console.log(line)))
  const run: TestRun = { adminUrl: server.url, runId: randomBytes(5).toString('hex') }
  await requireCreateDatabase(run.adminUrl)
  starting.defer(() => dropAll(run))
  await administer(run.adminUrl, `create database ${templateOf(run)} template template0`)
  await migrate(urlOf(run.adminUrl, templateOf(run)))
  project.provide('testRun', run)
  const started = starting.move()
  return () => started.disposeAsync()
}

const requireCreateDatabase = async (adminUrl: string): Promise<void> => {
  await using admin = openDatabase({ url: adminUrl, maxConnections: 1 })
  const query = sql<{ name: string; allowed: boolean; version: number }>`
    select rolname as name, rolcreatedb or rolsuper as allowed, current_setting('server_version_num')::int as version
    from pg_roles where rolname = current_user`
  const role = await query.execute(admin.db).catch((error: unknown) => {
    throw plainError(`The tests cannot use their PostgreSQL (TEST_DATABASE_URL): ${String(error)}`)
  })
  for (const { name, allowed, version } of role.rows) {
    if (version < 150_000) throw plainError('TEST_DATABASE_URL must name a PostgreSQL 15 or later')
    if (!allowed) {
      const advice = `Run: alter role "${name}" createdb`
      throw plainError(`The tests make databases, and the role "${name}" of TEST_DATABASE_URL may not. ${advice}`)
    }
  }
}

/** Everything of this run, also what a test that was killed left behind. */
const dropAll = async (run: TestRun): Promise<void> => {
  await using admin = openDatabase({ url: run.adminUrl, maxConnections: 1, statementTimeoutMs: 120_000 })
  const ours = await sql<{ name: string }>`
    select datname as name from pg_database
    where datname = ${templateOf(run)} or starts_with(datname, ${`t_${run.runId}_`})`.execute(admin.db)
  for (const { name } of ours.rows) {
    await sql`drop database if exists ${sql.id(name)} with (force)`.execute(admin.db)
  }
}
