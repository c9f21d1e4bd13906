import { inTransaction } from '@sonde/database'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { ensurePartition } from './partition.ts'

dbTest('eight callers at once make the partitions of a day once', async ({ database: { db } }) => {
  await Promise.all(Array.from({ length: 8 }, () => inTransaction(db, (trx) => ensurePartition(trx, '2028-02-29'))))
  const { rows } = await sql<{ child: string; bound: string }>`
    select c.relname as child, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relname like '%20280229' and c.relkind = 'r'
    order by 1`.execute(db)
  const bound = "FOR VALUES FROM ('2028-02-29') TO ('2028-03-01')"
  expect(rows).toEqual([
    { child: 'capture_chunks_20280229', bound },
    { child: 'capture_summaries_20280229', bound },
  ])
  const storage = await sql<{ attstorage: string }>`
    select attstorage from pg_attribute where attrelid = 'capture_chunks_20280229'::regclass and attname = 'body'`.execute(
    db,
  )
  expect(storage.rows).toEqual([{ attstorage: 'e' }])
})

dbTest('a partition is made while others read and write the table', async ({ database: { db } }) => {
  await db.transaction().execute(async (reader) => {
    await reader.selectFrom('capture_chunks').select('seq').execute()
    await inTransaction(db, (trx) => ensurePartition(trx, '2028-03-01'))
  })
  const { rows } = await sql<{ found: boolean }>`
    select to_regclass('capture_chunks_20280301') is not null as found`.execute(db)
  expect(rows).toEqual([{ found: true }])
})

dbTest('what is not a day makes no table', async ({ database: { db } }) => {
  for (const day of ['2028-02-30', '2028-2-1', "2028-02-01'); drop table captures; --", '']) {
    await expect(inTransaction(db, (trx) => ensurePartition(trx, day))).rejects.toThrow(RangeError)
  }
})
