import { revocationId } from '../core/events.ts'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import { readRevokedSince } from './store-credentials.ts'

/** Behind the notification: a lane is closed within a second of the revocation also when that was lost. */
const POLL_MS = 500
/** A replica that could not look for longer leaves the rest to the refusal of the next beat. */
const LOOK_BACK_SECONDS = 10

/** Wakes this replica's lanes of nodes that were revoked lately, each once. */
export const watchRevocations = (resources: Resources): Promise<void> => {
  const { db, events, clock, log, stopping: signal } = resources
  let told = new Set<string>()
  return loop({
    name: 'node-revocations',
    intervalMs: POLL_MS,
    signal,
    clock,
    log,
    work: async () => {
      const revoked = await readRevokedSince(db, LOOK_BACK_SECONDS)
      const ids = new Set(revoked.map(({ sessionId, nodeId }) => revocationId(sessionId, nodeId)))
      for (const id of ids) if (!told.has(id)) events.wake('revocations', id)
      told = ids
    },
  })
}
