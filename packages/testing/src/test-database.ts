import { openDatabase } from '@sonde/database'
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'

/** How the tests of one run reach their server. */
export interface TestRun {
  adminUrl: string
  /** Names everything that the run creates, so that it can be dropped. */
  runId: string
}

declare module 'vitest' {
  interface ProvidedContext {
    testRun: TestRun
  }
}

/** A database of its own. Dispose drops it, open connections or not. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string
}

/** Name of the migrated database that the others are copies of. */
export const templateOf = (run: TestRun): string => `template_sonde_${run.runId}`

/** The same server, another database. */
export const urlOf = (adminUrl: string, database: string): string => {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  return url.href
}

/** Runs one statement on the administrator's connection. */
export const administer = async (adminUrl: string, statement: string): Promise<void> => {
  await using admin = openDatabase({ url: adminUrl, maxConnections: 1, statementTimeoutMs: 120_000 })
  await sql.raw(statement).execute(admin.db)
}

/** Copies the template file by file: 13 to 51 ms, where `wal_log` takes 51 to 375 ms. `empty` makes one without any table instead. */
export const createDatabase = async (run: TestRun, options: { empty?: boolean } = {}): Promise<TestDatabase> => {
  const name = `t_${run.runId}_${randomBytes(6).toString('hex')}`
  const template = options.empty === true ? 'template0' : templateOf(run)
  await administer(run.adminUrl, `create database ${name} template ${template} strategy file_copy`)
  return {
    url: urlOf(run.adminUrl, name),
    [Symbol.asyncDispose]: () => administer(run.adminUrl, `drop database if exists ${name} with (force)`),
  }
}
