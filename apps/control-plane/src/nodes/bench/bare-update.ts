import { cpuOfTree } from '@sonde/testing'
import type { Database } from '@sonde/database'
import { sql } from 'kysely'

/** Beats of one group at 6,667 a second, as they came in the runs that this was made for. */
const GROUP = 60

/**
 * The least that a beat can cost PostgreSQL, in microseconds of CPU: its row is found by primary key and one time is written, in groups
 * of 60, and nothing is judged.
 */
export const bareUpdateUs = async (
  db: Database['db'],
  options: { nodeIds: readonly string[]; postgresPid: number },
): Promise<number> => {
  const { nodeIds, postgresPid } = options
  const before = cpuOfTree(postgresPid)
  for (let from = 0; from < nodeIds.length; from += GROUP) {
    const group = nodeIds.slice(from, from + GROUP)
    await sql`/* prepared: bare_update */
      update runtime_node_presence p set last_heartbeat_at = now()
      from unnest(${group}::text[]) as b (node_id) where p.node_id = b.node_id`.execute(db)
  }
  return ((cpuOfTree(postgresPid) - before) / nodeIds.length) * 1e6
}
