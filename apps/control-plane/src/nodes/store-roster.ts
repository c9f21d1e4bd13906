import type { AttachmentState, Liveness, MembershipState, ReportedHealth, Role } from '@sonde/contracts'
import { sql } from 'kysely'
import { ALARM_MS } from './clone-alarm.ts'
import type { SchedulingMarks } from './scheduling.ts'
import { beatAgeMs, deafMs, SWEEPER, type Db } from './store-reads.ts'

/** Where a page of the roster ends: microseconds since 1970 of the first attach, and the attachment. */
export interface RosterCursor {
  attachedAtUs: number
  attachmentId: string
}

export interface RosterQuery {
  sessionId: string
  callerId: string
  includeEnded: boolean
  limit: number
  after?: RosterCursor | undefined
  /** This node only. */
  nodeId?: string
}

/** An attachment as the roster needs it. */
export interface RosterRow extends SchedulingMarks {
  attachmentId: string
  nodeId: string
  participantId: string
  state: AttachmentState
  epoch: number
  declared: boolean
  capabilities: Record<string, unknown>
  clientVersion: string
  floor: string | null
  attachedAt: Date
  attachedAtUs: number
  lastAttachedAt: Date
  endedAt: Date | null
  finalHeartbeatAt: Date | null
  lastHeartbeatAt: Date | null
  healthState: Liveness | null
  reported: ReportedHealth | null
  ageMs: number | null
  deafMs: number | null
  held: boolean
  host: string | null
  /** The clone alarm that stands: when it was raised, and its hosts as stored. */
  clonesAt: Date | null
  clones: string | null
  /** The database's clock. */
  now: Date
  ownerState: MembershipState | null
  ownerRole: Role | null
}

/** Ended slots stay in the default view for this long, in milliseconds. */
const RECENTLY_ENDED_MS = 3_600_000

/**
 * The attachments of a session in one statement, driven from the caller's own active membership; undefined when there is
 * none. Presence is joined on the attachment, so a node that moved on shows nothing live here.
 */
export const readRoster = async (db: Db, query: RosterQuery): Promise<RosterRow[] | undefined> => {
  const { rows } = await sql<RosterRow | (Omit<RosterRow, 'attachmentId'> & { attachmentId: null })>`
    select a.id as "attachmentId", a.node_id as "nodeId", a.participant_id as "participantId", a.state, a.epoch,
      a.declared_at is not null as declared, a.capabilities, a.client_version as "clientVersion",
      s.min_client_version as floor, a.attached_at as "attachedAt",
      (extract(epoch from a.attached_at) * 1000000)::bigint as "attachedAtUs",
      a.last_attached_at as "lastAttachedAt", a.ended_at as "endedAt", a.final_heartbeat_at as "finalHeartbeatAt",
      p.last_heartbeat_at as "lastHeartbeatAt", p.health_state as "healthState", p.reported_health as reported,
      ${beatAgeMs} as "ageMs", ${deafMs} as "deafMs", p.held_since is not null as held, a.host, a.cordoned_at,
      a.drain_requested_at, a.drain_deadline, a.on_deadline, c.at as "clonesAt", c.reason as clones, now() as now,
      o.state as "ownerState", o.role as "ownerRole"
    from session_memberships m
    join sessions s on s.id = m.session_id
    left join runtime_node_attachments a on a.session_id = m.session_id
      and (${query.includeEnded} or a.state in ('registering', 'online', 'degraded')
        or a.ended_at > now() - ${RECENTLY_ENDED_MS} * interval '1 millisecond')
      and (${query.after === undefined} or (a.attached_at, a.id) >
        (timestamptz 'epoch' + ${query.after?.attachedAtUs ?? 0} * interval '1 microsecond',
          ${query.after?.attachmentId ?? null}::uuid))
      and (${query.nodeId ?? null}::text is null or a.node_id = ${query.nodeId ?? null})
    left join lateral (
      select t.at, t.reason from runtime_node_transitions t
      where t.node_id = a.node_id and t.session_id = a.session_id and t.cause = 'clone_alarm'
        and t.at > now() - ${ALARM_MS} * interval '1 millisecond'
      order by t.id desc limit 1
    ) c on true
    left join runtime_node_presence p on p.node_id = a.node_id and p.attachment_id = a.id
    left join session_memberships o on o.session_id = a.session_id and o.participant_id = a.participant_id
    left join service_state w on w.name = ${SWEEPER}
    where m.session_id = ${query.sessionId} and m.participant_id = ${query.callerId} and m.state = 'active'
    order by a.attached_at, a.id
    limit ${query.limit}`.execute(db)
  if (rows.length === 0) return undefined
  return rows.filter((row): row is RosterRow => row.attachmentId !== null)
}
