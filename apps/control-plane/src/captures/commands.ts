import { newId, type DeliveredCommand, type NodeCommandBody } from '@sonde/contracts'
import { sql, type Transaction } from 'kysely'
import type { Schema } from '@sonde/database'
import { requireActiveNode } from '../nodes/index.ts'
import type { Principal } from '../core/authenticate.ts'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import type { Db } from './store.ts'

/** A subscription is woken by `commands`; {@link pollCommands} sees to that even when a NOTIFY was lost. */
const IDLE_MS = 60_000
/** How often the unanswered rows are looked at when no wake-up came, in milliseconds. */
const POLL_MS = 1_000

/**
 * Writes a command for a node; call it under the capture's row lock, which makes `number` count without holes. Publish the
 * node id on `commands` after the commit.
 */
export const writeCommand = async (trx: Transaction<Schema>, nodeId: string, body: NodeCommandBody): Promise<void> => {
  const { kind, captureId, segmentNo } = body
  await trx
    .insertInto('node_commands')
    .values({
      id: newId(),
      node_id: nodeId,
      kind,
      capture_id: captureId,
      segment_no: segmentNo,
      number: sql<number>`(select coalesce(max(number) + 1, 0) from node_commands
        where capture_id = ${captureId} and segment_no = ${segmentNo})`,
      payload: JSON.stringify(body),
    })
    .execute()
}

/** Which kinds of command a capture's segments were sent, as `segmentNo:kind`. */
export const sentKinds = async (db: Db, captureId: string): Promise<Set<string>> => {
  const rows = await db
    .selectFrom('node_commands')
    .select(['segment_no', 'kind'])
    .where('capture_id', '=', captureId)
    .execute()
  return new Set(rows.map((row) => `${row.segment_no}:${row.kind}`))
}

const listUnanswered = async (db: Db, nodeId: string): Promise<DeliveredCommand[]> => {
  const rows = await db
    .selectFrom('node_commands')
    .select(['id', 'number', 'payload'])
    .where('node_id', '=', nodeId)
    .where('answered_at', 'is', null)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ commandId: row.id, number: row.number, body: row.payload as NodeCommandBody }))
}

/**
 * The commands of one node, for as long as its subscription lasts: each unanswered row once, in order. Nothing is
 * remembered between subscriptions, so there is no cursor that a slow commit could slip under; after a reconnect all that
 * are still unanswered come again.
 */
export async function* deliverCommands(
  resources: Resources,
  call: { principal: Principal; nodeId: string; epoch: number; signal: AbortSignal },
): AsyncGenerator<DeliveredCommand> {
  const { db, events } = resources
  const { nodeId, signal } = call
  using watch = events.watch('commands', nodeId)
  const sent = new Set<string>()
  while (!signal.aborted) {
    await requireActiveNode(db, call)
    const unanswered = await listUnanswered(db, nodeId)
    const ids = new Set(unanswered.map((command) => command.commandId))
    for (const id of sent) if (!ids.has(id)) sent.delete(id)
    for (const command of unanswered) {
      if (sent.has(command.commandId)) continue
      sent.add(command.commandId)
      yield command
    }
    await watch.wait(IDLE_MS, signal)
  }
}

/** Wakes the subscriptions of this replica whose node has unanswered commands: one query for all nodes, each second. */
export const pollCommands = (resources: Resources): Promise<void> => {
  const { db, events, clock, log, stopping } = resources
  return loop({
    name: 'commands',
    intervalMs: POLL_MS,
    signal: stopping,
    clock,
    log,
    work: async () => {
      const rows = await db
        .selectFrom('node_commands')
        .select('node_id')
        .distinct()
        .where('answered_at', 'is', null)
        .where('created_at', '<', sql<Date>`now() - interval '1 second'`)
        .execute()
      for (const row of rows) events.wake('commands', row.node_id)
    },
  })
}
