import { createTestDatabase } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openDatabase } from './open.ts'

test('when no connection becomes free in time the database is unavailable, and a later call may succeed', async () => {
  await using created = await createTestDatabase()
  await using database = openDatabase({ url: created.url, maxConnections: 1 })
  const { db } = database
  await db.transaction().execute(async (trx) => {
    await sql`select 1`.execute(trx)
    // The pool waits 5 s for one.
    await expect(sql`select 1`.execute(db)).rejects.toMatchObject({ code: 'database.unavailable', retryable: true })
  })
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
})
