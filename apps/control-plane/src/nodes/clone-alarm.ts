import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { alarmStands, recentDisplacements, recordTransition } from './store-history.ts'
import type { Attachment } from './store.ts'

/** More displacements than this within the window mean two daemons with one node id: a restart displaces once. */
const MOST_DISPLACEMENTS = 3
const WINDOW_MS = 60_000
/** An alarm stands for this long, and is not raised again meanwhile, in milliseconds. */
export const ALARM_MS = 600_000

/** Hosts as the `reason` of an alarm holds them. */
export const hostsOf = (reason: string | null): string[] => {
  try {
    const hosts: unknown = JSON.parse(reason ?? '[]')
    return Array.isArray(hosts) ? hosts.filter((host) => typeof host === 'string') : []
  } catch {
    return []
  }
}

/**
 * Raises the alarm when incarnations of a node displace each other too often. Counted from the transitions, under the
 * node's lock, so that it is raised once whatever replicas the clones talk to. Answers the hosts when it was raised now.
 */
export const raiseCloneAlarm = async (
  trx: Transaction<Schema>,
  displaced: Attachment,
): Promise<string[] | undefined> => {
  const slot = { nodeId: displaced.node_id, sessionId: displaced.session_id }
  const recent = await recentDisplacements(trx, slot, { limit: 100, windowMs: WINDOW_MS })
  if (recent.length <= MOST_DISPLACEMENTS || (await alarmStands(trx, slot, ALARM_MS))) return undefined
  const hosts = [...new Set([displaced.host, ...recent])].filter((host) => host !== null).toSorted()
  await recordTransition(trx, {
    node_id: slot.nodeId,
    session_id: slot.sessionId,
    axis: 'slot',
    from_state: displaced.state,
    to_state: 'registering',
    cause: 'clone_alarm',
    reason: JSON.stringify(hosts),
  })
  return hosts
}
