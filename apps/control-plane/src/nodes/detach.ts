import type { DetachInput } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import { requireOwnToken, type Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { readAccess } from '../sessions/index.ts'
import { finishSlot } from './finish-slot.ts'
import { permissionDenied } from './refusal.ts'
import { slotTransition } from './slot.ts'
import { lockNode, lockPair, readActiveSession } from './store.ts'

/**
 * Ends the node's active slot, in whatever state the owner's membership is. Idempotent, and without effect for a call
 * that names another attachment or epoch. Another node's token is refused with `auth.token_bound`. A fellow member is refused with `runtimenode.permission_denied`; a stranger gets
 * the same null as for a node that is not there.
 */
export const detach = ({
  resources,
  principal,
  input,
}: {
  resources: Resources
  principal: Principal
  input: DetachInput
}): Promise<null> =>
  inTransaction(resources.db, async (trx) => {
    const { nodeId } = input
    requireOwnToken(principal, nodeId)
    const { participantId, onlySessionId } = principal
    const node = await lockNode(trx, nodeId)
    const sessionId = node && (await readActiveSession(trx, nodeId))
    if (!node || !sessionId || (onlySessionId !== null && onlySessionId !== sessionId)) return null
    if (node.ownerId !== participantId) {
      if (await readAccess(trx, { sessionId, participantId }, 'none')) throw permissionDenied()
      return null
    }
    const slot = await lockPair(trx, nodeId, sessionId)
    if (!slot) return null
    if (input.attachmentId !== undefined && input.attachmentId !== slot.id) return null
    if (input.epoch !== undefined && input.epoch !== slot.epoch) return null
    const outcome = slotTransition(slot.state, 'detach')
    if (outcome.kind !== 'to') return null
    await finishSlot(trx, slot, { state: 'offline', cause: 'detach', reason: input.reason })
    return null
  })
