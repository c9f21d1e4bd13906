import { hashToken, mintToken, type Database, type OwnerToken } from '@sonde/database'
import { seededRandom } from '@sonde/testing'
import { sql } from 'kysely'

/** Node number `n`, as ids of daemons look. */
const nodeIdOf = sql<string>`'node-' || md5('bench-' || n)`

/** Makes nodes `from` to `to - 1` as if they had attached, declared and beaten just now; answers their ids in order. */
export const addOnlineNodes = async (
  { db }: Database,
  owner: OwnerToken,
  { from, to }: { from: number; to: number },
): Promise<string[]> => {
  const numbers = sql`generate_series(${from}::int, ${to - 1}::int) as n`
  await sql`insert into runtime_nodes (node_id, owner_id, epoch)
    select ${nodeIdOf}, ${owner.participantId}, 1 from ${numbers}`.execute(db)
  await sql`
    with slots as (
      insert into runtime_node_attachments
        (session_id, participant_id, node_id, state, epoch, declared_at, capabilities, client_version)
      select ${owner.sessionId}::uuid, ${owner.participantId}::uuid, ${nodeIdOf}, 'online', 1, now(), '{"monitor":{}}', '1.0'
      from ${numbers} returning id, node_id)
    insert into runtime_node_presence (node_id, attachment_id, epoch, last_heartbeat_at, reported_health, replica_id)
    select node_id, id, 1, now(), 'online', gen_random_uuid() from slots`.execute(db)
  const { rows } = await sql<{ nodeId: string }>`
    select ${nodeIdOf} as "nodeId" from ${numbers} order by n`.execute(db)
  return rows.map(({ nodeId }) => nodeId)
}

/** Tokens of the owner's, since each node of a real fleet has one of its own, which has to be looked up. */
export const addTokens = async ({ db }: Database, owner: OwnerToken, count: number): Promise<string[]> => {
  const tokens = Array.from({ length: count }, () => mintToken('person'))
  await sql`insert into tokens (id, kind, sha256, name, participant_id, session_id, expires_at)
    select gen_random_uuid(), 'person', hash, 'bench', ${owner.participantId}, ${owner.sessionId}, now() + interval '1 hour'
    from unnest(${tokens.map(hashToken)}::bytea[]) as hash`.execute(db)
  return tokens
}

/** The same ids in an order of chance, the same in each run. */
export const shuffled = (ids: readonly string[]): string[] => {
  const random = seededRandom(1)
  return ids
    .map((id) => ({ id, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ id }) => id)
}

/** Counters of the server that only grow, read when its backends have reported them. */
export interface PresenceCounters {
  updates: number
  hotUpdates: number
  /** Position in the write-ahead log, in bytes. */
  wal: number
}

export const readCounters = async (db: Database['db']): Promise<PresenceCounters> => {
  const { rows } = await sql<PresenceCounters>`
    select n_tup_upd::float8 as updates, n_tup_hot_upd::float8 as "hotUpdates",
      (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 as wal
    from pg_stat_user_tables where relname = 'runtime_node_presence'`.execute(db)
  const [counters] = rows
  if (!counters) throw new Error('PostgreSQL keeps no statistics of runtime_node_presence')
  return counters
}
