import type { Liveness, LivenessSettings } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import type { FleetGroup, GroupCount } from './breaker.ts'
import { SWEEPER } from './store-reads.ts'

type Trx = Transaction<Schema>
export type Limits = Pick<LivenessSettings, 'degradedAfterMs' | 'offlineAfterMs' | 'breaker'>

/** Any constant, but the same in every replica. */
const SWEEP_LOCK = 9_000_000_002

const milliseconds = (ms: number) => sql`${ms}::float8 * interval '1 millisecond'`

/** From when on the age of presence `p` counts. */
const heard = sql`greatest(p.last_heartbeat_at, (select ready_at from service_state where name = ${SWEEPER}))`

/** One replica sweeps at a time; the lock ends with the transaction. */
export const tryLockSweep = async (trx: Trx): Promise<boolean> => {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(${SWEEP_LOCK}::bigint) as locked`.execute(trx)
  return rows[0]?.locked ?? false
}

/**
 * Notes that the service hears beats at this moment. After a gap longer than `degradedAfterMs` ages count from now: in
 * that time no beat could arrive, so none may be held against a node. 30 s, because gap, cadence and sweep together must
 * stay below the 60 s of offline. The first run ever has no gap to forgive. Everything by `clock_timestamp()`: a process that
 * was stopped inside the transaction goes on with the `now()` from before.
 *
 * A clock that went forward looks like a gap. One that went back leaves times in the future, behind which a dead node would
 * hide for as long as the step was: they become now.
 */
export const recordRun = async (trx: Trx, limits: Limits): Promise<void> => {
  const { rows } = await sql<{ gapMs: number }>`
    select (extract(epoch from clock_timestamp() - last_run_at) * 1000)::float8 as "gapMs"
    from service_state where name = ${SWEEPER}`.execute(trx)
  const gapMs = rows[0]?.gapMs ?? 0
  await sql`
    insert into service_state (name, last_run_at, ready_at) values (${SWEEPER}, clock_timestamp(), 'epoch')
    on conflict (name) do update set
      ready_at = case when ${Math.abs(gapMs) > limits.degradedAfterMs}
        then clock_timestamp() else least(service_state.ready_at, clock_timestamp()) end,
      last_run_at = clock_timestamp()`.execute(trx)
  if (gapMs >= 0) return
  await sql`
    update runtime_node_presence
    set last_heartbeat_at = least(last_heartbeat_at, clock_timestamp()), held_since = least(held_since, clock_timestamp())
    where last_heartbeat_at > clock_timestamp() or held_since > clock_timestamp()`.execute(trx)
}

/**
 * How many live nodes each group has, and how many of them are silent; only groups that could be too silent. Empty, and cheap,
 * when no verdict is due at all.
 */
export const countSilence = async (trx: Trx, limits: Limits): Promise<GroupCount[]> => {
  const offlineBefore = sql`now() - ${milliseconds(limits.offlineAfterMs)}`
  const due = await sql`
    select 1 from runtime_node_presence p
    where p.health_state <> 'offline' and ${heard} < ${offlineBefore} limit 1`.execute(trx)
  if (due.rows.length === 0) return []
  const { rows } = await sql<{
    scope: number
    replicaId: string | null
    version: string
    live: number
    silent: number
  }>`
    select grouping(p.replica_id, a.client_version) as scope, p.replica_id as "replicaId", a.client_version as version,
      count(*)::int as live,
      (count(*) filter (where ${heard} < now() - ${milliseconds(limits.degradedAfterMs)}))::int as silent
    from runtime_node_presence p
    join runtime_node_attachments a on a.id = p.attachment_id
    where p.health_state <> 'offline'
    group by grouping sets ((), (p.replica_id), (a.client_version))`.execute(trx)
  return rows.map(({ scope, replicaId, version, live, silent }) => ({
    group: groupOf(scope, { replicaId, version }),
    live,
    silent,
  }))
}

/** Of two columns, a set bit means "not grouped by": 3 is neither, 1 the first alone, 2 the second alone. */
const groupOf = (scope: number, key: { replicaId: string | null; version: string }): FleetGroup => {
  if (scope === 3) return { kind: 'fleet' }
  return scope === 1 ? { kind: 'replica', replicaId: key.replicaId } : { kind: 'version', version: key.version }
}

/** Whether the row of `p` and `a` is in one of the groups. */
const isIn = (groups: readonly FleetGroup[]) => {
  const replicas = groups.flatMap((group) => (group.kind === 'replica' ? [group.replicaId] : []))
  const versions = groups.flatMap((group) => (group.kind === 'version' ? [group.version] : []))
  return sql<boolean>`coalesce(${groups.some(({ kind }) => kind === 'fleet')}
    or p.replica_id = any(${replicas.filter((id) => id !== null)}::uuid[])
    or (${replicas.includes(null)} and p.replica_id is null)
    or a.client_version = any(${versions}::text[]), false)`
}

/** Milliseconds since the first verdict that is still withheld; null when none is. */
export const heldForMs = async (trx: Trx): Promise<number | null> => {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from now() - min(held_since)) * 1000)::float8 as ms
    from runtime_node_presence where held_since is not null and health_state <> 'offline'`.execute(trx)
  return rows[0]?.ms ?? null
}

/** Marks the due verdicts of these groups as withheld; answers how many are. */
export const holdVerdicts = async (trx: Trx, limits: Limits, groups: readonly FleetGroup[]): Promise<number> => {
  const { rows } = await sql<{ held: number }>`
    with due as (
      select p.node_id
      from runtime_node_presence p
      join runtime_node_attachments a on a.id = p.attachment_id
      where p.health_state <> 'offline' and ${heard} < now() - ${milliseconds(limits.offlineAfterMs)} and ${isIn(groups)}
      order by p.node_id
      for no key update of p skip locked
    ), marked as (
      update runtime_node_presence p set held_since = now() from due where p.node_id = due.node_id and p.held_since is null
    )
    select count(*)::int as held from due`.execute(trx)
  return rows[0]?.held ?? 0
}

export interface Demotion {
  nodeId: string
  healthState: Exclude<Liveness, 'online'>
}

/**
 * Demotes up to `limit` rows and records the transitions, in the order of node ids, past rows that somebody holds. A beat
 * that commits first wins, since the predicate is evaluated again on the locked version. Never promotes, never touches an
 * offline row. Of the `withheld` groups nothing becomes offline.
 */
export const demoteStale = async (
  trx: Trx,
  limits: Limits,
  { limit, withheld }: { limit: number; withheld: readonly FleetGroup[] },
): Promise<Demotion[]> => {
  const degradedBefore = sql`now() - ${milliseconds(limits.degradedAfterMs)}`
  const offlineBefore = sql`now() - ${milliseconds(limits.offlineAfterMs)}`
  const { rows } = await sql<Demotion>`
    with stale as (
      select p.node_id, a.session_id, p.health_state as before,
        case when ${heard} < ${offlineBefore} then 'offline' else 'degraded' end as verdict
      from runtime_node_presence p
      join runtime_node_attachments a on a.id = p.attachment_id
      where p.health_state <> 'offline'
        and ${heard} < ${degradedBefore}
        and (p.health_state = 'online' or ${heard} < ${offlineBefore})
        and not (${heard} < ${offlineBefore} and ${isIn(withheld)})
      order by p.node_id
      for no key update of p skip locked
      limit ${limit}
    ), demoted as (
      update runtime_node_presence p set health_state = stale.verdict, held_since = null
      from stale where p.node_id = stale.node_id
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
          then ${milliseconds(limits.degradedAfterMs)} else ${milliseconds(limits.offlineAfterMs)} end
      ) - now()) * 1000)::float8 as ms
    from runtime_node_presence p left join service_state w on w.name = ${SWEEPER}
    where p.health_state <> 'offline' and p.held_since is null`.execute(trx)
  return rows[0]?.ms ?? null
}
