import { DAY_MS } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'

const PARENTS = ['capture_chunks', 'capture_summaries'] as const

/**
 * Makes the partitions of a day (`YYYY-MM-DD`) where they are missing; any number of callers at once. Call it first in the
 * transaction: it may wait for another that makes the same partitions.
 *
 * A table is made and then attached, since `create table ... partition of` locks the parent against every reader and
 * writer until the commit, and `attach partition` against none.
 */
export const ensurePartition = async (trx: Transaction<Schema>, day: string): Promise<void> => {
  const from = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(from) || new Date(from).toISOString().slice(0, 10) !== day) {
    throw new RangeError(`${day} is not a day (YYYY-MM-DD)`)
  }
  const to = new Date(from + DAY_MS).toISOString().slice(0, 10)
  const nameOf = (parent: string) => `${parent}_${day.replaceAll('-', '')}`
  // Not `to_regclass`: its cache can miss what another transaction committed while this one waited for the lock.
  const missing = async () => {
    const { rows } = await sql<{ parent: string }>`
      select parent from unnest(${[...PARENTS]}::text[], ${PARENTS.map(nameOf)}::text[]) as t (parent, name)
      where not exists (select from pg_class where relname = name and pg_table_is_visible(oid))`.execute(trx)
    return rows.map((row) => row.parent)
  }
  if ((await missing()).length === 0) return
  await sql`select pg_advisory_xact_lock(hashtextextended('sonde.capture_partitions', 0))`.execute(trx)
  for (const parent of await missing()) {
    const name = nameOf(parent)
    const statements = [
      `create table ${name} (like ${parent} including defaults including constraints including indexes)`,
      // Bodies are compressed by the daemon: trying it again is lost time.
      `alter table ${name} alter column body set storage external`,
      `alter table ${parent} attach partition ${name} for values from ('${day}') to ('${to}')`,
    ]
    for (const statement of statements) await sql.raw(statement).execute(trx)
  }
}
