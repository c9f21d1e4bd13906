import { DAY_MS } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

const PARENTS = ['capture_chunks', 'capture_summaries'] as const

const nameOf = (parent: string, day: string): string => `${parent}_${day.replaceAll('-', '')}`

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
  // Not `to_regclass`: its cache can miss what another transaction committed while this one waited for the lock.
  const missing = async () => {
    const { rows } = await sql<{ parent: string }>`
      select parent from unnest(${[...PARENTS]}::text[], ${PARENTS.map((parent) => nameOf(parent, day))}::text[]) as t (parent, name)
      where not exists (select from pg_class where relname = name and pg_table_is_visible(oid))`.execute(trx)
    return rows.map((row) => row.parent)
  }
  if ((await missing()).length === 0) return
  await sql`select pg_advisory_xact_lock(hashtextextended('sonde.capture_partitions', 0))`.execute(trx)
  for (const parent of await missing()) {
    const name = nameOf(parent, day)
    const statements = [
      `create table ${name} (like ${parent} including defaults including constraints including indexes)`,
      // Bodies are compressed by the daemon: trying it again is lost time.
      `alter table ${name} alter column body set storage external`,
      `alter table ${parent} attach partition ${name} for values from ('${day}') to ('${to}')`,
    ]
    for (const statement of statements) await sql.raw(statement).execute(trx)
  }
}

/** For a drop to get the table to itself: uploads queue behind it meanwhile. */
const DROP_WAIT_MS = 100

/**
 * Days with a partition and no capture. Only from before yesterday: a start takes its day before it inserts the capture,
 * and never that of another day than today's.
 */
export const unusedDays = async (db: Kysely<Schema>): Promise<string[]> => {
  const { rows } = await sql<{ day: string }>`
    select to_char(day, 'YYYY-MM-DD') as day from (
      select distinct to_date(right(c.relname, 8), 'YYYYMMDD') as day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent in (${sql.join(PARENTS.map((parent) => sql`${parent}::regclass`))}) and c.relkind = 'r'
        and c.relname ~ '_[0-9]{8}$'
    ) p
    where day < (now() at time zone 'utc')::date - 1
      and not exists (select from captures where partition_day = p.day)
    order by 1`.execute(db)
  return rows.map((row) => row.day)
}

/**
 * Drops the partitions of a day that no capture is of. False when another replica makes or drops partitions. Throws SQLSTATE
 * 55P03 when the table is used for longer than {@link DROP_WAIT_MS}. A transaction for each table, since one that holds both
 * could wait for an upload that waits for it.
 */
export const dropPartition = async (db: Kysely<Schema>, day: string): Promise<boolean> => {
  for (const parent of PARENTS) {
    const isDropped = await inTransaction(db, async (trx) => {
      const { rows } = await sql<{ free: boolean }>`
        select pg_try_advisory_xact_lock(hashtextextended('sonde.capture_partitions', 0)) as free`.execute(trx)
      if (!rows[0]?.free) return false
      const used = await trx.selectFrom('captures').select('id').where('partition_day', '=', day).limit(1).execute()
      if (used.length > 0) return false
      await sql.raw(`set local lock_timeout = ${DROP_WAIT_MS}`).execute(trx)
      await sql`drop table if exists ${sql.table(nameOf(parent, day))}`.execute(trx)
      return true
    })
    if (!isDropped) return false
  }
  return true
}
