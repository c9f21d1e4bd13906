import { mayDo } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import type { Principal } from '../core/authenticate.ts'
import { readAccess } from '../sessions/index.ts'
import { permissionDenied } from './refusal.ts'
import { lockNode, lockPair, type Attachment } from './store.ts'

export interface SlotKey {
  sessionId: string
  nodeId: string
}

/**
 * Locks the slot of a node of the caller's own, in whatever state but revoked, in the one order of locks (I-003-6). With
 * `session: 'update'` such calls of a session go one after the other. Throws the uniform `runtimenode.permission_denied`.
 */
export const lockOwnSlot = async (
  trx: Transaction<Schema>,
  principal: Principal,
  { sessionId, nodeId, session }: SlotKey & { session: 'share' | 'update' },
): Promise<Attachment> => {
  const { participantId } = principal
  const node = await lockNode(trx, nodeId)
  if (node?.ownerId !== participantId) throw permissionDenied()
  const access = await readAccess(trx, { sessionId, participantId }, session)
  if (!access || !mayDo(access.role, 'node.attach')) throw permissionDenied()
  const slot = await lockPair(trx, nodeId, sessionId)
  if (!slot || slot.state === 'revoked') throw permissionDenied()
  return slot
}
