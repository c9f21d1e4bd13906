import { mayDo, type RevokeInput, type RevokeResult } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import type { Principal } from '../core/authenticate.ts'
import { revocationId } from '../core/events.ts'
import type { Resources } from '../core/resources.ts'
import { readAccess } from '../sessions/index.ts'
import { revokeNodeTokens } from '../tokens/index.ts'
import { finishSlot } from './finish-slot.ts'
import { permissionDenied } from './refusal.ts'
import { slotTransition } from './slot.ts'
import { lockNode, lockPair } from './store.ts'

/**
 * Takes a node out of a session for good, whoever owns it (I-003-7). For the session's owners; everybody else gets the
 * uniform `runtimenode.permission_denied`. The node's tokens for the session end with it, and its live lanes are closed within
 * a second. Idempotent.
 */
export const revoke = async ({
  resources,
  principal,
  input,
}: {
  resources: Resources
  principal: Principal
  input: RevokeInput
}): Promise<RevokeResult> => {
  const { sessionId, nodeId, reason } = input
  const { participantId } = principal
  const revoked = await inTransaction(resources.db, async (trx): Promise<RevokeResult> => {
    const node = await lockNode(trx, nodeId)
    const access = node && (await readAccess(trx, { sessionId, participantId }, 'share'))
    if (!access || !mayDo(access.role, 'node.revoke')) throw permissionDenied()
    const slot = await lockPair(trx, nodeId, sessionId)
    if (!slot) throw permissionDenied()
    await revokeNodeTokens(trx, { sessionId, nodeId })
    if (slotTransition(slot.state, 'revoke').kind === 'to') {
      await finishSlot(trx, slot, { state: 'revoked', cause: 'revoke', reason })
    }
    return { attachmentId: slot.id, state: 'revoked' }
  })
  // Wakes the node's lane on whatever replica, which then finds that its slot has ended.
  resources.events.publish('commands', nodeId)
  resources.events.publish('revocations', revocationId(sessionId, nodeId))
  return revoked
}
