import { randomUUID } from 'node:crypto'
import type { Database } from '@sonde/database'

interface FleetRowsOptions {
  sessionId: string
  count: number
}

/** A name that would run a script, turn text around or break a line, if a page let it. */
export const HOSTILE_NAME = '<img src=x onerror="document.title=1">\u202Eevil'

/**
 * Nodes of a session's owner as rows, for pages that only read them: named `rack-0` and so on; each 50th cordoned, each 100th with an old version, number 7
 * with a hostile name. Their beats end here, so that they are online for the first 30 s.
 */
export const insertFleet = async ({ db }: Database, { sessionId, count }: FleetRowsOptions) => {
  const now = new Date()
  const { participant_id: participantId } = await db
    .selectFrom('session_memberships')
    .select('participant_id')
    .where('session_id', '=', sessionId)
    .executeTakeFirstOrThrow()
  const nodes = Array.from({ length: count }, (_, at) => ({
    at,
    nodeId: `node-${String(at).padStart(8, '0')}${'0'.repeat(24)}`,
    attachmentId: randomUUID(),
  }))
  for (let from = 0; from < count; from += 500) {
    const part = nodes.slice(from, from + 500)
    await db
      .insertInto('runtime_nodes')
      .values(part.map(({ nodeId }) => ({ node_id: nodeId, owner_id: participantId, epoch: 1 })))
      .execute()
    await db
      .insertInto('runtime_node_attachments')
      .values(
        part.map(({ at, nodeId, attachmentId }) => ({
          id: attachmentId,
          session_id: sessionId,
          participant_id: participantId,
          node_id: nodeId,
          state: 'online' as const,
          epoch: 1,
          declared_at: now,
          capabilities: JSON.stringify({ monitor: { name: at === 7 ? HOSTILE_NAME : `rack-${at}` } }),
          client_version: at % 100 === 0 ? '1.9' : '1.10',
          cordoned_at: at % 50 === 0 ? now : null,
          host: `host-${at}.example`,
        })),
      )
      .execute()
    await db
      .insertInto('runtime_node_presence')
      .values(
        part.map(({ nodeId, attachmentId }) => ({
          node_id: nodeId,
          attachment_id: attachmentId,
          epoch: 1,
          last_heartbeat_at: now,
          reported_health: 'online' as const,
        })),
      )
      .execute()
  }
}
