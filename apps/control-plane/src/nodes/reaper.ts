import { inTransaction } from '@sonde/database'
import type { Resources } from '../core/resources.ts'
import { finishSlot } from './finish-slot.ts'
import { slotTransition } from './slot.ts'
import { listSilent, lockSilent } from './store-reaper.ts'
import { lockNode } from './store.ts'

/** Per run; the next run takes the rest. */
const MOST = 500

/**
 * Ends the slots whose nodes were silent for `reapAfterMs`, each in a transaction of its own that locks the node first. The
 * only actor besides people and daemons on this axis; it runs only where the setting asks for it. Answers the reaped ids.
 */
export const reapSilent = async (
  { db, log }: Pick<Resources, 'db' | 'log'>,
  reapAfterMs: number,
): Promise<string[]> => {
  const reaped: string[] = []
  for (const nodeId of await listSilent(db, reapAfterMs, MOST)) {
    const ended = await inTransaction(db, async (trx) => {
      await lockNode(trx, nodeId)
      const slot = await lockSilent(trx, nodeId, reapAfterMs)
      if (!slot || slotTransition(slot.state, 'reap').kind !== 'to') return false
      await finishSlot(trx, slot, { state: 'offline', cause: 'reaper', reason: undefined })
      return true
    })
    if (ended) reaped.push(nodeId)
  }
  if (reaped.length > 0) log.warn({ count: reaped.length, first: reaped.slice(0, 10) }, 'slots of silent nodes ended')
  return reaped
}
