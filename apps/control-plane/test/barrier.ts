import type { Database, Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { waitForLock } from './presence-support.ts'

/** A transaction on a connection of its own that has done its work and is still open. */
export interface Barrier extends AsyncDisposable {
  commit(): Promise<void>
  rollback(): Promise<void>
}

/** Does `work` in a transaction and keeps it open, with its locks, until told; disposing rolls it back. */
export const holdOpen = async (
  { db }: Database,
  work: (trx: Transaction<Schema>) => Promise<unknown>,
): Promise<Barrier> => {
  const trx = await db.startTransaction().execute()
  try {
    await work(trx)
  } catch (error) {
    await trx.rollback().execute()
    throw error
  }
  let open = true
  const end = async (how: 'commit' | 'rollback') => {
    if (!open) return
    open = false
    await trx[how]().execute()
  }
  return {
    commit: () => end('commit'),
    rollback: () => end('rollback'),
    [Symbol.asyncDispose]: () => end('rollback'),
  }
}

/** Holds the row of a node, which every node-keyed change locks first. */
const holdNode = (database: Database, nodeId: string): Promise<Barrier> =>
  holdOpen(database, (trx) => sql`select 1 from runtime_nodes where node_id = ${nodeId} for no key update`.execute(trx))

/**
 * Starts the calls one after the other, each once the one before waits at the node's row, then lets them go: they run in this
 * order, since Postgres serves the waiters of a row in the order of their coming.
 */
export const inOrder = async <Answer>(
  database: Database,
  nodeId: string,
  calls: (() => Promise<Answer>)[],
): Promise<Answer[]> => {
  await using barrier = await holdNode(database, nodeId)
  const answers: Promise<Answer>[] = []
  for (const call of calls) {
    answers.push(call())
    await waitForLock(database, answers.length)
  }
  await barrier.commit()
  return Promise.all(answers)
}
