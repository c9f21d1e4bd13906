import {
  ACTIVE_STATES,
  ALLOWED,
  type AttachmentState,
  type Liveness,
  type ReportedHealth,
  type Role,
  type Scheduling,
} from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'
import { schedulingOf } from './scheduling.ts'

export type Db = Kysely<Schema> | Transaction<Schema>

/** Roles that may attach a node and speak for it. */
export const ATTACHING_ROLES: readonly Role[] = ALLOWED['node.attach']

/** Name of the sweeper's row in `service_state`. */
export const SWEEPER = 'sweeper'

/** Age of a beat in milliseconds, of presence `p` and service state `w`; see `livenessOf`. */
export const beatAgeMs = sql<
  number | null
>`(extract(epoch from now() - greatest(p.last_heartbeat_at, w.ready_at)) * 1000)::float8`

/** Milliseconds since the sweep ran last, of service state `w`; null when it never did. */
export const deafMs = sql<number | null>`(extract(epoch from now() - w.last_run_at) * 1000)::float8`

/** An active slot with everything that its verdicts are derived from. */
export interface ActiveSlot {
  nodeId: string
  attachmentId: string
  sessionId: string
  epoch: number
  state: AttachmentState
  declared: boolean
  clientVersion: string
  floor: string | null
  capabilities: Record<string, unknown>
  reported: ReportedHealth | null
  /** The stored verdict. */
  announced: Liveness | null
  /** The verdict offline is withheld. */
  held: boolean
  scheduling: Scheduling
  ageMs: number | null
  deafMs: number | null
  /** Milliseconds since it was attached last. */
  attachedMs: number
  ownerActive: boolean
}

const activeSlots = (db: Db) =>
  db
    .selectFrom('runtime_node_attachments as a')
    .innerJoin('sessions as s', 's.id', 'a.session_id')
    .leftJoin('runtime_node_presence as p', (join) =>
      join.onRef('p.node_id', '=', 'a.node_id').onRef('p.attachment_id', '=', 'a.id'),
    )
    .leftJoin('service_state as w', (join) => join.on('w.name', '=', SWEEPER))
    .leftJoin('session_memberships as m', (join) =>
      join
        .onRef('m.session_id', '=', 'a.session_id')
        .onRef('m.participant_id', '=', 'a.participant_id')
        .on('m.state', '=', 'active')
        .on('m.role', 'in', ATTACHING_ROLES),
    )
    .where('a.state', 'in', ACTIVE_STATES)
    .select((eb) => [
      'a.node_id as nodeId',
      'a.id as attachmentId',
      'a.session_id as sessionId',
      'a.epoch',
      'a.state',
      eb('a.declared_at', 'is not', null).$castTo<boolean>().as('declared'),
      'a.client_version as clientVersion',
      's.min_client_version as floor',
      'a.capabilities',
      'p.reported_health as reported',
      'p.health_state as announced',
      eb('p.held_since', 'is not', null).$castTo<boolean>().as('held'),
      'a.cordoned_at',
      'a.drain_requested_at',
      beatAgeMs.as('ageMs'),
      deafMs.as('deafMs'),
      sql<number>`(extract(epoch from now() - a.last_attached_at) * 1000)::float8`.as('attachedMs'),
      eb('m.role', 'is not', null).$castTo<boolean>().as('ownerActive'),
    ])

/** The active slots of some nodes. */
export const readActiveSlots = async (db: Db, nodeIds: string[]): Promise<ActiveSlot[]> => {
  if (nodeIds.length === 0) return []
  const rows = await activeSlots(db)
    .where('a.node_id', '=', sql<string>`any(${nodeIds})`)
    .execute()
  return rows.map((row) => ({ ...row, scheduling: schedulingOf(row) }))
}

/** What may be said to a caller about one of its own nodes; undefined for an unknown node and for another's. */
export const readOwnNode = async (
  db: Db,
  key: { nodeId: string; ownerId: string; onlySessionId: string | null },
): Promise<{ epoch: number; inSession: boolean } | undefined> => {
  const row = await db
    .selectFrom('runtime_nodes as n')
    .where('n.node_id', '=', key.nodeId)
    .where('n.owner_id', '=', key.ownerId)
    .select((eb) => [
      'n.epoch',
      eb
        .exists(
          eb
            .selectFrom('runtime_node_attachments as a')
            .select('a.id')
            .whereRef('a.node_id', '=', 'n.node_id')
            .where(sql<boolean>`${key.onlySessionId}::uuid is null or a.session_id = ${key.onlySessionId}::uuid`),
        )
        .$castTo<boolean>()
        .as('inSession'),
    ])
    .executeTakeFirst()
  return row
}

/** Holds an attachment FOR SHARE; false when it is no longer active in that epoch. */
export const shareActive = async (db: Db, attachmentId: string, epoch: number): Promise<boolean> => {
  const row = await db
    .selectFrom('runtime_node_attachments')
    .select('id')
    .where('id', '=', attachmentId)
    .where('epoch', '=', epoch)
    .where('state', 'in', ACTIVE_STATES)
    .forShare()
    .executeTakeFirst()
  return row !== undefined
}
