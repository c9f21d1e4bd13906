import { ACTIVE_STATES, SondeError, type CordonInput, type DrainInput, type SchedulingResult } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { nodeStates } from './active-node.ts'
import { lockOwnSlot } from './own-slot.ts'
import { shownMarks } from './scheduling.ts'
import { markSlot } from './store-scheduling.ts'
import type { Attachment } from './store.ts'
import type { Outside } from './outside.ts'

interface Call<Input> {
  resources: Resources
  principal: Principal
  input: Input
}

const isActive = (slot: Attachment): boolean => ACTIVE_STATES.some((state) => state === slot.state)

const shown = (slot: Attachment, marks: Awaited<ReturnType<typeof markSlot>>): SchedulingResult => ({
  attachmentId: slot.id,
  nodeId: slot.node_id,
  ...shownMarks(marks, marks.now),
})

/** Gives a node no new work; what runs on it goes on. Stays over detach and attach. Idempotent. */
export const cordon = ({ resources, principal, input }: Call<CordonInput>): Promise<SchedulingResult> =>
  inTransaction(resources.db, async (trx) => {
    const slot = await lockOwnSlot(trx, principal, { ...input, session: 'share' })
    return shown(slot, await markSlot(trx, slot, { cause: 'cordon', reason: input.reason }))
  })

/** Lets a node be given work again, and calls off its drain. Idempotent. */
export const uncordon = ({ resources, principal, input }: Call<CordonInput>): Promise<SchedulingResult> =>
  inTransaction(resources.db, async (trx) => {
    const slot = await lockOwnSlot(trx, principal, { ...input, session: 'share' })
    return shown(slot, await markSlot(trx, slot, { cause: 'uncordon', reason: input.reason }))
  })

/**
 * Cordons a node and has it finish: its beats are answered `finish`, from the deadline on `stop` if so asked, until it has
 * shipped everything and detached. The marks are the whole state, so the drain survives any process. A node that is not
 * attached is drained already, and only cordoned. Throws `node.last_of_primary`.
 */
export const drain = (
  { resources, principal, input }: Call<DrainInput>,
  outside: Pick<Outside, 'primariesOf'>,
): Promise<SchedulingResult> =>
  inTransaction(resources.db, async (trx) => {
    // Two drains at once would each see the other's node as the one that stays.
    const slot = await lockOwnSlot(trx, principal, { ...input, session: 'update' })
    if (isActive(slot) && !input.force) await requireAnother(resources, trx, { slot, outside })
    const deadline = new Date(input.deadline)
    return shown(
      slot,
      await markSlot(trx, slot, {
        cause: 'drain',
        reason: input.reason,
        ...(isActive(slot) && { drain: { deadline, onDeadline: input.onDeadline } }),
      }),
    )
  })

const requireAnother = async (
  { config }: Resources,
  trx: Transaction<Schema>,
  { slot, outside }: { slot: Attachment; outside: Pick<Outside, 'primariesOf'> },
): Promise<void> => {
  const primaries = await outside.primariesOf(trx, { sessionId: slot.session_id, nodeId: slot.node_id })
  const others = [...new Set(primaries.flatMap(({ nodeIds }) => nodeIds))].filter((id) => id !== slot.node_id)
  const states = await nodeStates(trx, others, config.liveness)
  const bare = primaries.filter(
    ({ nodeIds }) => !nodeIds.some((id) => id !== slot.node_id && isTaking(states.get(id), slot.session_id)),
  )
  if (bare.length === 0) return
  const words = bare.slice(0, 3).map(({ host, port }) => `${host}:${port}`)
  throw new SondeError('node.last_of_primary', {
    message: `Node ${slot.node_id} is the last one that takes work and reaches ${words.join(', ')}${bare.length > 3 ? ` and ${bare.length - 3} more` : ''}. Bring up another one, or drain by force.`,
    details: { targets: bare.map(({ targetId, host, port }) => ({ targetId, host, port })) },
  })
}

const isTaking = (state: { schedulable: boolean; sessionId: string } | undefined, sessionId: string): boolean =>
  state !== undefined && state.schedulable && state.sessionId === sessionId
