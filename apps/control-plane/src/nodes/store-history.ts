import type { Transition } from '@sonde/contracts'
import type { RuntimeNodeTransitions, Schema } from '@sonde/database'
import type { Insertable, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Db } from './store-reads.ts'

/** Appends to the history, in the transaction that makes the change. */
export const recordTransition = async (
  trx: Transaction<Schema>,
  transition: Omit<Insertable<RuntimeNodeTransitions>, 'at'>,
): Promise<void> => {
  await trx.insertInto('runtime_node_transitions').values(transition).execute()
}

/** The latest transitions of a node in one session, newest first. */
export const lastTransitions = async (
  db: Db,
  slot: { nodeId: string; sessionId: string },
  limit: number,
): Promise<Transition[]> => {
  const rows = await db
    .selectFrom('runtime_node_transitions')
    .select(['at', 'axis', 'from_state as from', 'to_state as to', 'cause', 'reason'])
    .where('node_id', '=', slot.nodeId)
    .where('session_id', '=', slot.sessionId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }))
}

/** Hosts of the latest displacements of a node in a session, at most `limit`, of the last `windowMs`; null where none was named. */
export const recentDisplacements = async (
  trx: Transaction<Schema>,
  slot: { nodeId: string; sessionId: string },
  within: { limit: number; windowMs: number },
): Promise<(string | null)[]> => {
  const rows = await trx
    .selectFrom('runtime_node_transitions')
    .select('reason')
    .where('node_id', '=', slot.nodeId)
    .where('session_id', '=', slot.sessionId)
    .where('cause', '=', 'displace')
    .where('at', '>', sql<Date>`now() - ${within.windowMs} * interval '1 millisecond'`)
    .orderBy('id', 'desc')
    .limit(within.limit)
    .execute()
  return rows.map((row) => row.reason)
}

/** Whether the alarm of a node in a session was raised within the last `windowMs`. */
export const alarmStands = async (
  trx: Transaction<Schema>,
  slot: { nodeId: string; sessionId: string },
  windowMs: number,
): Promise<boolean> => {
  const row = await trx
    .selectFrom('runtime_node_transitions')
    .select('id')
    .where('node_id', '=', slot.nodeId)
    .where('session_id', '=', slot.sessionId)
    .where('cause', '=', 'clone_alarm')
    .where('at', '>', sql<Date>`now() - ${windowMs} * interval '1 millisecond'`)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
