import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { schedulingOf } from './scheduling.ts'
import { recordTransition } from './store-history.ts'
import { endPresence, endSlot, type Attachment } from './store.ts'

export interface SlotEnd {
  state: 'offline' | 'revoked'
  cause: 'detach' | 'remove' | 'revoke' | 'reaper'
  reason: string | undefined
}

/**
 * Ends a locked slot: state, frozen last beat, announced liveness and the history, in that order of locks. A drain ends
 * with it, a cordon stays. Of a slot that had ended before, only the state and the reason change.
 */
export const finishSlot = async (trx: Transaction<Schema>, slot: Attachment, end: SlotEnd): Promise<void> => {
  const { state, cause, reason = null } = end
  await endSlot(trx, slot, { state, reason })
  const healthBefore = await endPresence(trx, slot.node_id, slot.id)
  const change = { node_id: slot.node_id, session_id: slot.session_id, cause, reason }
  await recordTransition(trx, { ...change, axis: 'slot', from_state: slot.state, to_state: state })
  if (healthBefore && healthBefore !== 'offline') {
    await recordTransition(trx, { ...change, axis: 'liveness', from_state: healthBefore, to_state: 'offline' })
  }
  if (schedulingOf(slot) === 'draining') {
    await recordTransition(trx, { ...change, axis: 'scheduling', from_state: 'draining', to_state: 'cordoned' })
  }
}
