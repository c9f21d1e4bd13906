import { ACTIVE_STATES } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { SWEEPER, type Db } from './store-reads.ts'
import type { Attachment } from './store.ts'

/** Active slots that were announced offline, and whose last beat that counts is older than this. */
const silentSlots = (db: Db, ms: number) =>
  db
    .selectFrom('runtime_node_attachments as a')
    .innerJoin('runtime_node_presence as p', (join) =>
      join.onRef('p.node_id', '=', 'a.node_id').onRef('p.attachment_id', '=', 'a.id'),
    )
    .where('a.state', 'in', ACTIVE_STATES)
    .where('p.health_state', '=', 'offline')
    .where(
      sql<boolean>`greatest(p.last_heartbeat_at, (select ready_at from service_state where name = ${SWEEPER}))
        < now() - ${ms}::float8 * interval '1 millisecond'`,
    )

export const listSilent = async (db: Db, ms: number, limit: number): Promise<string[]> => {
  const rows = await silentSlots(db, ms).select('a.node_id').orderBy('a.node_id').limit(limit).execute()
  return rows.map((row) => row.node_id)
}

/** The slot of a node that the caller has locked, if it is still silent; passes by one that somebody holds. */
export const lockSilent = (trx: Transaction<Schema>, nodeId: string, ms: number): Promise<Attachment | undefined> =>
  silentSlots(trx, ms)
    .where('a.node_id', '=', nodeId)
    .selectAll('a')
    .forNoKeyUpdate(['a', 'p'])
    .skipLocked()
    .executeTakeFirst()
