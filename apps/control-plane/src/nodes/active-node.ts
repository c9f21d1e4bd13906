import type { Blocker, LivenessSettings } from '@sonde/contracts'
import { requireOwnToken, type Principal } from '../core/authenticate.ts'
import { isReadOnly } from './floor.ts'
import { livenessOf } from './liveness.ts'
import { fenced, permissionDenied } from './refusal.ts'
import { blockersOf } from './schedulable.ts'
import { readActiveSlots, readOwnNode, shareActive, type Db } from './store-reads.ts'

/** A node's active slot, as its caller may use it. */
export interface ActiveNode {
  nodeId: string
  sessionId: string
  attachmentId: string
  epoch: number
  readOnly: boolean
}

export interface ActiveNodeRequest {
  principal: Principal
  nodeId: string
  epoch: number
  /** Hold the attachment FOR SHARE to the end of the transaction. @default false */
  lock?: boolean
}

/**
 * The slot that a node's own call acts in. Throws `auth.token_bound` to another node's token, `runtimenode.fenced` to an
 * older incarnation of the caller's own node, else `runtimenode.permission_denied`, the same for every cause.
 */
export const requireActiveNode = async (db: Db, request: ActiveNodeRequest): Promise<ActiveNode> => {
  const { principal, nodeId, epoch } = request
  requireOwnToken(principal, nodeId)
  const { participantId, onlySessionId } = principal
  const own = await readOwnNode(db, { nodeId, ownerId: participantId, onlySessionId })
  if (!own?.inSession) throw permissionDenied()
  if (epoch < own.epoch) throw fenced(nodeId)
  const [slot] = await readActiveSlots(db, [nodeId])
  const visible = slot?.ownerActive && (onlySessionId === null || slot.sessionId === onlySessionId)
  if (!slot || !visible || slot.epoch !== epoch) throw permissionDenied()
  if (request.lock && !(await shareActive(db, slot.attachmentId, epoch))) throw permissionDenied()
  const { sessionId, attachmentId, clientVersion, floor } = slot
  return { nodeId, sessionId, attachmentId, epoch, readOnly: isReadOnly(clientVersion, floor) }
}

/** What a scheduler needs to know of a node. */
export interface NodeState {
  nodeId: string
  sessionId: string
  epoch: number
  schedulable: boolean
  blockers: Blocker[]
  capabilities: Record<string, unknown>
}

/** The state of each node that has an active slot; the others are absent. */
export const nodeStates = async (
  db: Db,
  nodeIds: string[],
  settings: LivenessSettings,
): Promise<Map<string, NodeState>> => {
  const slots = await readActiveSlots(db, nodeIds)
  return new Map(
    slots.map((slot) => {
      const { nodeId, sessionId, epoch, capabilities } = slot
      const liveness = livenessOf({ ...slot, ended: false }, settings)
      const blockers = blockersOf({ ...slot, liveness, readOnly: isReadOnly(slot.clientVersion, slot.floor) })
      return [nodeId, { nodeId, sessionId, epoch, schedulable: blockers.length === 0, blockers, capabilities }]
    }),
  )
}

/**
 * For so long a node that was attached anew may take up what it did in an epoch before, in milliseconds: as long as it may be silent,
 * because its report waits for the same control plane and database. With 10 s, two of six segments of a drill were lost.
 */
const RESUME_MS = 60_000

/**
 * Of the claims, those whose slot is active in that epoch, or in a later one since less than 60 s, and not offline, as
 * `nodeId:epoch`. Offline is what the sweep has
 * announced and is still so: silence alone has no consequence before the sweep has seen whether it is one of many.
 */
export const leaseHolders = async (
  db: Db,
  claims: { nodeId: string; epoch: number }[],
  settings: LivenessSettings,
): Promise<Set<string>> => {
  const slots = await readActiveSlots(db, [...new Set(claims.map((claim) => claim.nodeId))])
  const held = new Map(
    slots
      .filter(
        (slot) => !(slot.announced === 'offline' && livenessOf({ ...slot, ended: false }, settings) === 'offline'),
      )
      .map((slot) => [slot.nodeId, slot]),
  )
  const holds = claims.filter(({ nodeId, epoch }) => {
    const slot = held.get(nodeId)
    return slot && (slot.epoch === epoch || (slot.epoch > epoch && slot.attachedMs < RESUME_MS))
  })
  return new Set(holds.map(({ nodeId, epoch }) => `${nodeId}:${epoch}`))
}
