import { ACTIVE_STATES, mayDo, SondeError, type AttachInput, type AttachResult } from '@sonde/contracts'
import { databaseErrorOf, inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { requireOwnToken, tokenBound, type Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { readAccess } from '../sessions/index.ts'
import { bindToken } from '../tokens/index.ts'
import { raiseCloneAlarm } from './clone-alarm.ts'
import { floorVerdict, isReadOnly } from './floor.ts'
import { attachConflict, attachRevoked, permissionDenied } from './refusal.ts'
import { slotTransition } from './slot.ts'
import {
  claimNode,
  lockPair,
  nextEpoch,
  readActiveSession,
  readFloor,
  upsertAttachment,
  writeFirstBeat,
  type Attachment,
} from './store.ts'
import { recordTransition } from './store-history.ts'

interface Attaching {
  resources: Resources
  principal: Principal
  input: AttachInput
}

/**
 * Gives a node its slot in a session, or answers a replay. The first one with a node's token makes it that node's. Throws
 * `auth.principal_mismatch`, `auth.token_bound`, `session.not_active`, `version.floor_invalid`, `runtimenode.attach_revoked`,
 * `runtimenode.attach_conflict`, else the uniform `runtimenode.permission_denied`; a refused attach changes nothing.
 */
export const attach = async (attaching: Attaching): Promise<AttachResult> => {
  const { resources, principal, input } = attaching
  if (principal.nodeId !== null) requireOwnToken(principal, input.nodeId)
  if (principal.participantId !== input.participantId) throw new SondeError('auth.principal_mismatch')
  if (principal.onlySessionId !== null && principal.onlySessionId !== input.sessionId) throw permissionDenied()
  const once = () => inTransaction(resources.db, (trx) => attachIn(trx, attaching))
  try {
    const attached = await once().catch((error: unknown) => {
      if (isActiveElsewhere(error)) return once()
      throw error
    })
    tell(resources, input.nodeId, attached)
    return attached.answer
  } catch (error) {
    throw isActiveElsewhere(error) ? attachConflict(input.nodeId) : error
  }
}

/** After the commit: the lane of a displaced incarnation finds out at once, and somebody is told of clones. */
const tell = ({ events, log, metrics }: Resources, nodeId: string, { answer, displaced, cloneHosts }: Attached) => {
  if (displaced) events.publish('commands', nodeId)
  if (!cloneHosts) return
  metrics.cloneAlarms.inc()
  log.error({ nodeId, epoch: answer.epoch, hosts: cloneHosts }, 'two daemons share one node id')
}

/**
 * The index on active slots is the backstop (I-003-5). Its violation can mean that another transaction was quicker, so
 * the whole attach runs once more before it is answered as a conflict.
 */
const isActiveElsewhere = (error: unknown): boolean => {
  const failure = databaseErrorOf(error)
  return failure?.code === '23505' && failure.constraint === 'idx_node_attachments_active'
}

interface Attached {
  answer: AttachResult
  /** Whether it took the slot from another incarnation. */
  displaced: boolean
  /** Hosts of the incarnations, when this attach has raised the alarm. */
  cloneHosts: string[] | undefined
}

const attachIn = async (trx: Transaction<Schema>, { resources, principal, input }: Attaching): Promise<Attached> => {
  const { nodeId, sessionId, clientVersion } = input
  const { participantId } = principal
  const node = await claimNode(trx, nodeId, participantId)
  if (node.ownerId !== participantId) throw permissionDenied()

  const access = await readAccess(trx, { sessionId, participantId }, 'share')
  if (!access || !mayDo(access.role, 'node.attach')) throw permissionDenied()
  if (access.state !== 'active' && access.state !== 'provisioning') {
    throw new SondeError('session.not_active', { details: { sessionId } })
  }
  const floor = await readFloor(trx, sessionId)
  if (floorVerdict(clientVersion, floor) === 'floor_invalid') {
    throw new SondeError('version.floor_invalid', { details: { sessionId } })
  }

  const pair = await lockPair(trx, nodeId, sessionId)
  await bind(trx, principal, nodeId)
  const isReplay = input.instanceId !== undefined && input.instanceId === pair?.instance_id
  const outcome = slotTransition(pair?.state ?? 'none', isReplay ? 'replay' : 'attach')
  if (outcome.kind === 'refused') throw attachRevoked(nodeId, sessionId)
  const answer = (slot: Attachment): AttachResult => ({
    attachmentId: slot.id,
    state: slot.state,
    readOnly: isReadOnly(slot.client_version, floor),
    attachedAt: slot.attached_at.toISOString(),
    epoch: slot.epoch,
    nextHeartbeatMs: resources.config.liveness.heartbeatMs,
  })
  if (outcome.kind === 'stay' && pair) return { answer: answer(pair), displaced: false, cloneHosts: undefined }

  const activeSession = await readActiveSession(trx, nodeId)
  if (activeSession !== undefined && activeSession !== sessionId) throw attachConflict(nodeId)

  const epoch = await nextEpoch(trx, nodeId)
  const slot = await upsertAttachment(trx, {
    ...input,
    ownerId: participantId,
    epoch,
    instanceId: input.instanceId,
    host: input.host,
  })
  if (!slot) throw await whyNotTaken(trx, input)
  const healthBefore = await writeFirstBeat(trx, {
    nodeId,
    attachmentId: slot.id,
    epoch,
    health: input.healthState,
    replicaId: resources.replicaId,
  })
  const displaced = pair && ACTIVE_STATES.some((state) => state === pair.state) ? pair : undefined
  const cause = displaced ? 'displace' : 'attach'
  const change = { node_id: nodeId, session_id: sessionId, cause, reason: input.host ?? null } as const
  await recordTransition(trx, { ...change, axis: 'slot', from_state: pair?.state ?? null, to_state: slot.state })
  if (healthBefore !== input.healthState) {
    await recordTransition(trx, { ...change, axis: 'liveness', from_state: healthBefore, to_state: input.healthState })
  }
  const cloneHosts = displaced && (await raiseCloneAlarm(trx, displaced))
  return { answer: answer(slot), displaced: displaced !== undefined, cloneHosts }
}

/** Under the node's lock; a token is never given back, so one that is known to be this node's needs no statement. */
const bind = async (trx: Transaction<Schema>, principal: Principal, nodeId: string): Promise<void> => {
  if (principal.kind !== 'node' || principal.nodeId === nodeId) return
  const bound = await bindToken(trx, principal.tokenId, nodeId)
  if (bound === undefined) throw new SondeError('auth.token_invalid')
  if (bound !== nodeId) throw tokenBound(bound)
}

const whyNotTaken = async (trx: Transaction<Schema>, input: AttachInput): Promise<Error> => {
  const row = await lockPair(trx, input.nodeId, input.sessionId)
  if (row?.state === 'revoked') return attachRevoked(input.nodeId, input.sessionId)
  if (row && row.participant_id !== input.participantId) return permissionDenied()
  return new Error('the attachment was not written, and nothing says why')
}
