import type { Liveness, LivenessSettings } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { SWEEPER } from './store-reads.ts'

type Trx = Transaction<Schema>
type Limits = Pick<LivenessSettings, 'degradedAfterMs' | 'offlineAfterMs'>

/** Any constant, but the same in every replica. */
const SWEEP_LOCK = 9_000_000_002

/** One replica sweeps at a time; the lock ends with the transaction. */
export const tryLockSweep = async (trx: Trx): Promise<boolean> => {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(${SWEEP_LOCK}::bigint) as locked`.execute(trx)
  return rows[0]?.locked ?? false
}

/**
 * Notes that the service hears beats at this moment. After a gap longer than `degradedAfterMs` ages count from now: in
 * that time no beat could arrive, so none may be held against a node. 30 s, because gap, cadence and sweep together must
 * stay below the 60 s of offline. The first run ever has no gap to forgive.
 */
export const recordRun = async (trx: Trx, limits: Limits): Promise<void> => {
  await sql`
    insert into service_state (name, last_run_at, ready_at) values (${SWEEPER}, now(), 'epoch')
    on conflict (name) do update set
      ready_at = case when now() - service_state.last_run_at > ${limits.degradedAfterMs} * interval '1 millisecond'
        then now() else service_state.ready_at end,
      last_run_at = greatest(now(), service_state.last_run_at)`.execute(trx)
}

export interface Demotion {
  nodeId: string
  healthState: Exclude<Liveness, 'online'>
}

/**
 * Demotes up to `limit` rows and records the transitions, in the order of node ids, past rows that somebody holds. A beat
 * that commits first wins, since the predicate is evaluated again on the locked version. Never promotes, never touches an
 * offline row.
 */
export const demoteStale = async (trx: Trx, limits: Limits, limit: number): Promise<Demotion[]> => {
  const heard = sql`greatest(p.last_heartbeat_at, (select ready_at from service_state where name = ${SWEEPER}))`
  const degradedBefore = sql`now() - ${limits.degradedAfterMs} * interval '1 millisecond'`
  const offlineBefore = sql`now() - ${limits.offlineAfterMs} * interval '1 millisecond'`
  const { rows } = await sql<Demotion>`
    with stale as (
      select p.node_id, a.session_id, p.health_state as before,
        case when ${heard} < ${offlineBefore} then 'offline' else 'degraded' end as verdict
      from runtime_node_presence p
      join runtime_node_attachments a on a.id = p.attachment_id
      where p.health_state <> 'offline'
        and ${heard} < ${degradedBefore}
        and (p.health_state = 'online' or ${heard} < ${offlineBefore})
      order by p.node_id
      for no key update of p skip locked
      limit ${limit}
    ), demoted as (
      update runtime_node_presence p set health_state = stale.verdict from stale where p.node_id = stale.node_id
    ), recorded as (
      insert into runtime_node_transitions (node_id, session_id, axis, from_state, to_state, cause)
      select node_id, session_id, 'liveness', before, verdict, 'sweep' from stale
    )
    select node_id as "nodeId", verdict as "healthState" from stale`.execute(trx)
  return rows
}

/** Milliseconds until the next row crosses a limit; null when there is none that could. */
export const msToNextCrossing = async (trx: Trx, limits: Limits): Promise<number | null> => {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(
        greatest(p.last_heartbeat_at, w.ready_at) + case when p.health_state = 'online'
          then ${limits.degradedAfterMs}::float8 else ${limits.offlineAfterMs}::float8 end * interval '1 millisecond'
      ) - now()) * 1000)::float8 as ms
    from runtime_node_presence p left join service_state w on w.name = ${SWEEPER}
    where p.health_state <> 'offline'`.execute(trx)
  return rows[0]?.ms ?? null
}
