import { mayDo, SondeError, type CapabilityUpdateInput, type CapabilityUpdateResult } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { requireOwnToken, type Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { readAccess } from '../sessions/index.ts'
import { floorVerdict } from './floor.ts'
import { fenced, permissionDenied } from './refusal.ts'
import { slotTransition, type SlotEvent } from './slot.ts'
import {
  hasCapabilities,
  lockNode,
  lockPair,
  readActiveSession,
  readFloor,
  writeCapabilities,
  type Attachment,
} from './store.ts'
import { recordTransition } from './store-history.ts'

interface Updating {
  resources: Resources
  principal: Principal
  input: CapabilityUpdateInput
}

/**
 * Replaces the capability map of the node's active slot and takes its report of health. Refuses in a fixed order:
 * `auth.token_bound`, `runtimenode.permission_denied`, `runtimenode.fenced`, `version.floor_exceeded`, `runtimenode.capabilityupdate_conflict`
 * for a missing declaration, then for a stale revision. A refused call changes nothing.
 */
export const capabilityUpdate = ({ resources, principal, input }: Updating): Promise<CapabilityUpdateResult> =>
  inTransaction(resources.db, async (trx) => {
    const slot = await visibleSlot(trx, principal, input.nodeId)
    const isOther = input.attachmentId !== undefined && input.attachmentId !== slot.id
    if (isOther || (input.epoch !== undefined && input.epoch !== slot.epoch)) throw fenced(input.nodeId)

    const sameMap = await hasCapabilities(trx, slot.id, input.capabilities)
    const isDecrease = slot.state === 'online' && input.healthChanges?.state === 'degraded' && sameMap
    if (!isDecrease) await requireWriter(trx, slot)

    const state = nextState(slot, input)
    if (input.expectedRevision !== undefined && input.expectedRevision !== slot.capabilities_revision) {
      const isReplay = input.expectedRevision + 1 === slot.capabilities_revision && sameMap && state === slot.state
      if (!isReplay) throw conflict(input.nodeId, 'stale_revision')
      return answer(slot)
    }

    const written = await writeCapabilities(trx, slot.id, { capabilities: input.capabilities, state })
    if (state !== slot.state) {
      await recordTransition(trx, {
        node_id: slot.node_id,
        session_id: slot.session_id,
        axis: 'slot',
        from_state: slot.state,
        to_state: state,
        cause: 'capability_update',
        reason: input.healthChanges?.reason ?? null,
      })
    }
    return answer(written)
  })

const answer = (slot: Attachment): CapabilityUpdateResult => ({
  nodeId: slot.node_id,
  state: slot.state,
  updatedAt: slot.updated_at.toISOString(),
  capabilitiesRevision: slot.capabilities_revision,
})

/** Locks node, session, membership and slot, in that order (I-003-6). */
const visibleSlot = async (trx: Transaction<Schema>, principal: Principal, nodeId: string): Promise<Attachment> => {
  requireOwnToken(principal, nodeId)
  const { participantId, onlySessionId } = principal
  const node = await lockNode(trx, nodeId)
  if (node?.ownerId !== participantId) throw permissionDenied()
  const sessionId = await readActiveSession(trx, nodeId)
  if (sessionId === undefined || (onlySessionId !== null && onlySessionId !== sessionId)) throw permissionDenied()
  const access = await readAccess(trx, { sessionId, participantId }, 'share')
  if (!access || !mayDo(access.role, 'node.attach')) throw permissionDenied()
  const slot = await lockPair(trx, nodeId, sessionId)
  if (!slot) throw permissionDenied()
  return slot
}

/** The current floor counts, not the one of the attach: a floor that rose makes the next write read-only. */
const requireWriter = async (trx: Transaction<Schema>, slot: Attachment): Promise<void> => {
  const floor = await readFloor(trx, slot.session_id)
  const verdict = floorVerdict(slot.client_version, floor)
  if (verdict === 'open') return
  if (verdict === 'floor_invalid') {
    throw new SondeError('version.floor_invalid', { details: { sessionId: slot.session_id } })
  }
  throw new SondeError('version.floor_exceeded', {
    message: `Node ${slot.node_id} reports version ${slot.client_version}, below the session's floor ${floor}, and is read-only. Upgrade it to write.`,
    details: { clientVersion: slot.client_version, minClientVersion: floor },
  })
}

const nextState = (slot: Attachment, input: CapabilityUpdateInput): Attachment['state'] => {
  const requested = input.healthChanges?.state
  if (requested === undefined) return slot.state
  const declared = slot.declared_at !== null
  const event: SlotEvent =
    requested === 'degraded' ? 'report_degraded' : declared ? 'report_online_declared' : 'report_online_undeclared'
  const outcome = slotTransition(slot.state, event)
  switch (outcome.kind) {
    case 'to':
      return outcome.state
    case 'stay':
      return slot.state
    case 'refused':
      if (outcome.reason === 'not_declared') throw conflict(input.nodeId, 'not_declared')
      throw permissionDenied()
  }
}

const conflict = (nodeId: string, reason: 'not_declared' | 'stale_revision'): SondeError =>
  new SondeError('runtimenode.capabilityupdate_conflict', {
    message:
      reason === 'not_declared'
        ? `Node ${nodeId} has not declared its capabilities yet. Send a non-empty map first, then report online in a second call.`
        : `Another update of node ${nodeId} came first. Read its capabilities again, then send the update with the new revision.`,
    details: { reason },
  })
