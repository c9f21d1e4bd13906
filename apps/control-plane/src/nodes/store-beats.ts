import type { AttachmentState, ReportedHealth } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import type { SchedulingMarks } from './scheduling.ts'
import { ATTACHING_ROLES } from './store-reads.ts'

/** One heartbeat with the identity of its caller. */
export interface Beat {
  nodeId: string
  callerId: string
  onlySessionId: string | null
  attachmentId: string | null
  epoch: number | null
  health: ReportedHealth
}

/** A beat whose caller, epoch, slot and membership fit. `written` is false when its row changed under the statement. */
export interface AcceptedBeat {
  /** Which beat of the group, from 0. */
  at: number
  written: boolean
  state: AttachmentState
  epoch: number
  clientVersion: string
  floor: string | null
  /** The scheduling marks, by the database's clock. */
  marks: Omit<SchedulingMarks, 'cordoned_at'>
  now: Date
}

const beatsTable = (beats: Beat[]) => sql`unnest(
    ${beats.map((beat) => beat.nodeId)}::text[], ${beats.map((beat) => beat.callerId)}::uuid[],
    ${beats.map((beat) => beat.onlySessionId)}::uuid[], ${beats.map((beat) => beat.attachmentId)}::uuid[],
    ${beats.map((beat) => beat.epoch)}::bigint[], ${beats.map((beat) => beat.health)}::text[]
  ) with ordinality as b (node_id, caller_id, only_session_id, attachment_id, epoch, health, n)`

/**
 * Judges and writes a group of beats in one statement; those that are not in the answer are refused. Of several beats of
 * one node the last is written and all are accepted. A detach, an attach or a sweep that commits between the reading and
 * the writing changes `replica_id`, `epoch` or `health_state`, so the row is missed and the beat has to be judged again:
 * that costs no lock on the way of every beat.
 */
export const writeBeats = async (db: Kysely<Schema>, beats: Beat[], replicaId: string): Promise<AcceptedBeat[]> => {
  const { rows } = await sql<Omit<AcceptedBeat, 'marks'> & AcceptedBeat['marks']>`/* prepared: write_beats */
    with accepted as (
      select b.n, b.node_id, b.health, a.id as attachment_id, a.session_id, a.epoch, a.state, a.client_version,
        s.min_client_version, p.health_state as before, a.drain_requested_at, a.drain_deadline, a.on_deadline
      from ${beatsTable(beats)}
      join runtime_nodes r on r.node_id = b.node_id and r.owner_id = b.caller_id
      join runtime_node_attachments a on a.node_id = b.node_id and a.state in ('registering', 'online', 'degraded')
      join sessions s on s.id = a.session_id
      join runtime_node_presence p on p.node_id = b.node_id and p.attachment_id = a.id and p.epoch = a.epoch
      where (b.only_session_id is null or b.only_session_id = a.session_id)
        and (b.attachment_id is null or b.attachment_id = a.id)
        and (b.epoch is null or b.epoch = a.epoch)
        and exists (
          select 1 from session_memberships m
          where m.session_id = a.session_id and m.participant_id = r.owner_id
            and m.state = 'active' and m.role = any(${[...ATTACHING_ROLES]}))
    ), latest as (
      select distinct on (node_id) * from accepted order by node_id, n desc
    ), written as (
      update runtime_node_presence p
      set last_heartbeat_at = now(), reported_health = l.health, health_state = l.health, replica_id = ${replicaId},
        held_since = null
      from latest l
      where p.node_id = l.node_id and p.attachment_id = l.attachment_id and p.epoch = l.epoch
        and p.health_state = l.before and p.replica_id is not null
      returning p.node_id, l.session_id, l.before, l.health
    ), recorded as (
      insert into runtime_node_transitions (node_id, session_id, axis, from_state, to_state, cause)
      select node_id, session_id, 'liveness', before, health, 'heartbeat' from written where before <> health
    )
    select (a.n - 1)::int as at, a.node_id in (select node_id from written) as written, a.state, a.epoch,
      a.client_version as "clientVersion", a.min_client_version as floor,
      a.drain_requested_at, a.drain_deadline, a.on_deadline, now() as now
    from accepted a`.execute(db)
  return rows.map(({ drain_requested_at, drain_deadline, on_deadline, ...beat }) => ({
    ...beat,
    marks: { drain_requested_at, drain_deadline, on_deadline },
  }))
}

/** Why a beat was refused. The cause is for the log; only the fence is told to the caller. */
export type RefusalCause = 'fenced' | 'unknown_node' | 'not_owner' | 'not_attached' | 'owner_inactive' | 'mismatch'

/** Finds the causes of refused beats, in their order. An older incarnation of the caller's own node is `fenced`. */
export const readRefusalCauses = async (db: Kysely<Schema>, beats: Beat[]): Promise<RefusalCause[]> => {
  const { rows } = await sql<{ cause: RefusalCause }>`
    select case
        when r.node_id is null then 'unknown_node'
        when r.owner_id <> b.caller_id then 'not_owner'
        when b.epoch < r.epoch and exists (
          select 1 from runtime_node_attachments o
          where o.node_id = b.node_id and (b.only_session_id is null or o.session_id = b.only_session_id)) then 'fenced'
        when a.id is null then 'not_attached'
        when (b.only_session_id is null or b.only_session_id = a.session_id)
          and (b.attachment_id is null or b.attachment_id = a.id)
          and (b.epoch is null or b.epoch = a.epoch) then 'owner_inactive'
        else 'mismatch'
      end as cause
    from ${beatsTable(beats)}
    left join runtime_nodes r on r.node_id = b.node_id
    left join runtime_node_attachments a on a.node_id = b.node_id and a.state in ('registering', 'online', 'degraded')
    order by b.n`.execute(db)
  return rows.map((row) => row.cause)
}
