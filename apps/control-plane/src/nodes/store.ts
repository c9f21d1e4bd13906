import { ACTIVE_STATES, type AttachmentState, type ReportedHealth } from '@sonde/contracts'
import type { RuntimeNodeAttachments, Schema } from '@sonde/database'
import { sql, type Selectable, type Transaction } from 'kysely'

type Trx = Transaction<Schema>

/** An attachment row as stored. */
export type Attachment = Selectable<RuntimeNodeAttachments>

/** Locks the node row, which every node-keyed change does first (I-003-6). */
export const lockNode = (trx: Trx, nodeId: string): Promise<{ ownerId: string; epoch: number } | undefined> =>
  trx
    .selectFrom('runtime_nodes')
    .select(['owner_id as ownerId', 'epoch'])
    .where('node_id', '=', nodeId)
    .forNoKeyUpdate()
    .executeTakeFirst()

/** Claims a node id for its first owner, then locks the row; the owner of a known node never changes (I-003-8). */
export const claimNode = async (
  trx: Trx,
  nodeId: string,
  ownerId: string,
): Promise<{ ownerId: string; epoch: number }> => {
  const known = await lockNode(trx, nodeId)
  if (known) return known
  await trx
    .insertInto('runtime_nodes')
    .values({ node_id: nodeId, owner_id: ownerId })
    .onConflict((conflict) => conflict.column('node_id').doNothing())
    .execute()
  const claimed = await lockNode(trx, nodeId)
  if (!claimed) throw new Error('a node row vanished while it was being claimed')
  return claimed
}

export const nextEpoch = async (trx: Trx, nodeId: string): Promise<number> => {
  const { epoch } = await trx
    .updateTable('runtime_nodes')
    .set({ epoch: sql`epoch + 1` })
    .where('node_id', '=', nodeId)
    .returning('epoch')
    .executeTakeFirstOrThrow()
  return epoch
}

/** The floor of a session that the caller has locked. */
export const readFloor = async (trx: Trx, sessionId: string): Promise<string | null> => {
  const row = await trx
    .selectFrom('sessions')
    .select('min_client_version')
    .where('id', '=', sessionId)
    .executeTakeFirstOrThrow()
  return row.min_client_version
}

/** The slot of a node in a session, in any state. */
export const lockPair = (trx: Trx, nodeId: string, sessionId: string): Promise<Attachment | undefined> =>
  trx
    .selectFrom('runtime_node_attachments')
    .selectAll()
    .where('node_id', '=', nodeId)
    .where('session_id', '=', sessionId)
    .forNoKeyUpdate()
    .executeTakeFirst()

/** Where a node is active. Under the node's lock the answer holds until the end of the transaction. */
export const readActiveSession = async (trx: Trx, nodeId: string): Promise<string | undefined> => {
  const row = await trx
    .selectFrom('runtime_node_attachments')
    .select('session_id')
    .where('node_id', '=', nodeId)
    .where('state', 'in', ACTIVE_STATES)
    .executeTakeFirst()
  return row?.session_id
}

/**
 * Takes the slot for a new incarnation. Owner, first attach and scheduling marks stay as they are; a revoked or
 * another's row is left alone, and undefined is answered.
 */
export const upsertAttachment = (
  trx: Trx,
  slot: {
    nodeId: string
    sessionId: string
    ownerId: string
    epoch: number
    instanceId: string | undefined
    capabilities: Record<string, unknown>
    clientVersion: string
    host: string | undefined
  },
): Promise<Attachment | undefined> =>
  trx
    .insertInto('runtime_node_attachments')
    .values({
      session_id: slot.sessionId,
      participant_id: slot.ownerId,
      node_id: slot.nodeId,
      epoch: slot.epoch,
      instance_id: slot.instanceId ?? null,
      capabilities: JSON.stringify(slot.capabilities),
      client_version: slot.clientVersion,
      host: slot.host ?? null,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['node_id', 'session_id'])
        .doUpdateSet((eb) => ({
          state: 'registering',
          epoch: eb.ref('excluded.epoch'),
          instance_id: eb.ref('excluded.instance_id'),
          declared_at: null,
          capabilities: eb.ref('excluded.capabilities'),
          capabilities_revision: sql`runtime_node_attachments.capabilities_revision + 1`,
          client_version: eb.ref('excluded.client_version'),
          host: eb.ref('excluded.host'),
          last_attached_at: sql`now()`,
          updated_at: sql`now()`,
          ended_at: null,
          end_reason: null,
          final_heartbeat_at: null,
        }))
        .where('runtime_node_attachments.state', '!=', 'revoked')
        .where('runtime_node_attachments.participant_id', '=', slot.ownerId),
    )
    .returningAll()
    .executeTakeFirst()

/** An attach counts as the first beat. Answers the announced health before it, null when there was none. */
export const writeFirstBeat = async (
  trx: Trx,
  beat: { nodeId: string; attachmentId: string; epoch: number; health: ReportedHealth; replicaId: string },
): Promise<AttachmentState | null> => {
  const before = await trx
    .selectFrom('runtime_node_presence')
    .select('health_state')
    .where('node_id', '=', beat.nodeId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  const values = {
    attachment_id: beat.attachmentId,
    epoch: beat.epoch,
    last_heartbeat_at: sql<Date>`now()`,
    reported_health: beat.health,
    health_state: beat.health,
    replica_id: beat.replicaId,
    held_since: null,
  }
  await trx
    .insertInto('runtime_node_presence')
    .values({ node_id: beat.nodeId, ...values })
    .onConflict((conflict) => conflict.column('node_id').doUpdateSet(values))
    .execute()
  return before?.health_state ?? null
}

/**
 * Ends a slot. One that was active freezes its last beat, which is what an ended attachment shows, and its drain is over.
 */
export const endSlot = async (
  trx: Trx,
  slot: Attachment,
  end: { state: 'offline' | 'revoked'; reason: string | null },
): Promise<void> => {
  await trx
    .updateTable('runtime_node_attachments as a')
    .set((eb) => ({
      state: end.state,
      ended_at: sql`now()`,
      updated_at: sql`now()`,
      end_reason: end.reason,
      drain_requested_at: null,
      drain_deadline: null,
      on_deadline: null,
      final_heartbeat_at: eb.fn.coalesce(
        'a.final_heartbeat_at',
        eb
          .selectFrom('runtime_node_presence as p')
          .select('p.last_heartbeat_at')
          .whereRef('p.attachment_id', '=', 'a.id')
          .whereRef('p.node_id', '=', 'a.node_id'),
      ),
    }))
    .where('a.id', '=', slot.id)
    .execute()
}

/**
 * Announces the end on the presence row, if there is one; the time of the last beat stays. Clearing `replica_id` makes a
 * beat that raced with this miss its row, so it is judged again and refused. Answers the announced health before.
 */
export const endPresence = async (
  trx: Trx,
  nodeId: string,
  attachmentId: string,
): Promise<AttachmentState | undefined> => {
  const before = await trx
    .selectFrom('runtime_node_presence')
    .select('health_state')
    .where('node_id', '=', nodeId)
    .where('attachment_id', '=', attachmentId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!before) return undefined
  await trx
    .updateTable('runtime_node_presence')
    .set({ health_state: 'offline', replica_id: null, held_since: null })
    .where('node_id', '=', nodeId)
    .execute()
  return before.health_state
}

/** Whether the stored capability map equals this one, in any order of keys. */
export const hasCapabilities = async (
  trx: Trx,
  attachmentId: string,
  capabilities: Record<string, unknown>,
): Promise<boolean> => {
  const row = await trx
    .selectFrom('runtime_node_attachments')
    .select(sql<boolean>`capabilities = ${JSON.stringify(capabilities)}::jsonb`.as('same'))
    .where('id', '=', attachmentId)
    .executeTakeFirstOrThrow()
  return row.same
}

/** Replaces the map; the first non-empty one of an incarnation is its declaration. */
export const writeCapabilities = (
  trx: Trx,
  attachmentId: string,
  next: { capabilities: Record<string, unknown>; state: AttachmentState },
): Promise<Attachment> =>
  trx
    .updateTable('runtime_node_attachments')
    .set({
      capabilities: JSON.stringify(next.capabilities),
      capabilities_revision: sql`capabilities_revision + 1`,
      state: next.state,
      updated_at: sql`now()`,
      ...(Object.keys(next.capabilities).length > 0 && { declared_at: sql<Date>`coalesce(declared_at, now())` }),
    })
    .where('id', '=', attachmentId)
    .returningAll()
    .executeTakeFirstOrThrow()
