import { databaseErrorOf, inTransaction, type Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import { dropPartition, unusedDays } from './partition.ts'

/** Rows of each table that one statement deletes: about 12 MB of bodies, whose deletion is a few tens of milliseconds. */
const BATCH_CHUNKS = 500

const TABLES = ['capture_chunks', 'capture_summaries'] as const

/**
 * Drops the partitions of days that have no capture any more: a whole day goes in milliseconds, whatever it held. One that
 * is in use at the moment is left for the next time.
 */
export const dropUnusedDays = async (db: Kysely<Schema>): Promise<void> => {
  for (const day of await unusedDays(db)) {
    try {
      if (!(await dropPartition(db, day))) continue
    } catch (error) {
      // Somebody uses the table: the wait would have held up whoever came behind it.
      if (databaseErrorOf(error)?.code === LOCK_NOT_AVAILABLE) continue
      throw error
    }
    await db
      .updateTable('capture_tombstones')
      .set({ purged_at: sql`now()` })
      .where('partition_day', '=', day)
      .where('purged_at', 'is', null)
      .execute()
  }
}

const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Deletes some chunks of one deleted capture. False when none is left of any, but for those that another replica is at. The
 * row of the tombstone is what one replica holds for a batch.
 */
export const purgeSome = (db: Kysely<Schema>): Promise<boolean> =>
  inTransaction(db, async (trx) => {
    const buried = await trx
      .selectFrom('capture_tombstones')
      .select(['capture_id', 'partition_day'])
      .where('purged_at', 'is', null)
      .orderBy('capture_id')
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
    if (!buried) return false
    const { capture_id: captureId, partition_day: day } = buried
    let isEmpty = true
    for (const table of TABLES) {
      const { numAffectedRows = 0n } = await sql`
        delete from ${sql.table(table)} where partition_day = ${day} and capture_id = ${captureId}
          and (segment_no, seq) in (select segment_no, seq from ${sql.table(table)}
            where partition_day = ${day} and capture_id = ${captureId}
            order by segment_no, seq limit ${BATCH_CHUNKS})`.execute(trx)
      if (numAffectedRows >= BATCH_CHUNKS) isEmpty = false
    }
    if (isEmpty) {
      await trx
        .updateTable('capture_tombstones')
        .set({ purged_at: sql`now()` })
        .where('capture_id', '=', captureId)
        .execute()
    }
    return true
  })
