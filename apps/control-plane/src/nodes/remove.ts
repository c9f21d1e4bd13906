import { SondeError, type RemoveInput, type RemoveResult } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { finishSlot } from './finish-slot.ts'
import type { Outside } from './outside.ts'
import { lockOwnSlot } from './own-slot.ts'
import { slotTransition } from './slot.ts'

/**
 * Takes a node of one's own out of a session: the same change as a detach, but refused with `node.not_drained` while there is
 * work on it, unless forced. Idempotent.
 */
export const remove = async (
  { resources, principal, input }: { resources: Resources; principal: Principal; input: RemoveInput },
  outside: Pick<Outside, 'workOf'>,
): Promise<RemoveResult> => {
  const removed = await inTransaction(resources.db, async (trx): Promise<RemoveResult> => {
    const slot = await lockOwnSlot(trx, principal, { ...input, session: 'share' })
    if (slotTransition(slot.state, 'detach').kind !== 'to') {
      return { attachmentId: slot.id, state: 'offline', unstoredLines: 0 }
    }
    const { segments, unstoredLines } = await outside.workOf(trx, slot.node_id)
    if (segments > 0 && !input.force) {
      throw new SondeError('node.not_drained', {
        message: `Node ${slot.node_id} works on ${segments} segments and has ${unstoredLines} lines that are not stored. Drain it first; by force these lines are lost.`,
        details: { segments, unstoredLines },
      })
    }
    await finishSlot(trx, slot, { state: 'offline', cause: 'remove', reason: input.reason })
    return { attachmentId: slot.id, state: 'offline', unstoredLines }
  })
  // Wakes the node's lane on whatever replica, which then finds that its slot has ended.
  resources.events.publish('commands', input.nodeId)
  return removed
}
