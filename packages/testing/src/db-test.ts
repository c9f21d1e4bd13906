import { openDatabase, type Database } from '@sonde/database'
import { inject, test } from 'vitest'
import { createDatabase, type TestDatabase } from './test-database.ts'

/** A migrated database for a test that needs several, or `empty` for one that migrates itself. Dispose drops it. */
export const createTestDatabase = (options: { empty?: boolean } = {}): Promise<TestDatabase> =>
  createDatabase(inject('testRun'), options)

/**
 * `test` with a migrated database that all tests of the file share: `database` is the open pool, `databaseUrl` its URL.
 *
 * @example
 * dbTest('a session keeps its name', async ({ database }) => { ... database.db.selectFrom('sessions') ... })
 */
export const dbTest = test
  .extend('testRun', { scope: 'file' }, () => inject('testRun'))
  .extend('databaseUrl', { scope: 'file' }, async ({ testRun }, { onCleanup }): Promise<string> => {
    const created = await createDatabase(testRun)
    onCleanup(() => created[Symbol.asyncDispose]())
    return created.url
  })
  .extend('database', { scope: 'file' }, ({ databaseUrl }, { onCleanup }): Database => {
    const database = openDatabase({ url: databaseUrl })
    onCleanup(() => database[Symbol.asyncDispose]())
    return database
  })
