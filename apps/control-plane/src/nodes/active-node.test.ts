import { LIVENESS_DEFAULTS, newId } from '@sonde/contracts'
import { expect } from 'vitest'
import { addNode, anchor, placeTest, waitForLock } from '../../test/presence-support.ts'
import { makePerson } from '../../test/support.ts'
import type { Principal } from '../core/authenticate.ts'
import { leaseHolders, nodeStates, requireActiveNode } from './active-node.ts'

const principalOf = (participantId: string, onlySessionId: string | null, nodeId: string | null = null): Principal => ({
  kind: onlySessionId === null ? 'person' : 'node',
  participantId,
  tokenId: newId(),
  onlySessionId,
  nodeId,
  isRenewalDue: false,
})

placeTest('a node acts in its active slot, and everybody else is refused', async ({ database, place }) => {
  const { db } = database
  const { participantId } = place.owner
  const nodeId = await addNode(db, place, { ageSeconds: 500 })
  const own = principalOf(participantId, place.sessionId, nodeId)
  const slot = await requireActiveNode(db, { principal: own, nodeId, epoch: 1 })
  expect(slot).toMatchObject({ nodeId, sessionId: place.sessionId, epoch: 1, readOnly: false })
  const stranger = await makePerson(database)
  const refused = (principal: Principal, epoch: number, id = nodeId) =>
    expect(requireActiveNode(db, { principal, nodeId: id, epoch })).rejects
  await refused(own, 0).toMatchObject({ code: 'runtimenode.fenced' })
  await refused(own, 2).toMatchObject({ code: 'runtimenode.permission_denied' })
  await refused(own, 1, 'node-unknown').toMatchObject({ code: 'auth.token_bound', details: { nodeId } })
  await refused(principalOf(participantId, place.sessionId), 1).toMatchObject({
    code: 'auth.token_bound',
    details: { nodeId: null },
  })
  await refused(principalOf(stranger.participantId, null), 0).toMatchObject({ code: 'runtimenode.permission_denied' })
  await refused(principalOf(participantId, newId(), nodeId), 0).toMatchObject({ code: 'runtimenode.permission_denied' })
  await db.updateTable('sessions').set({ min_client_version: '1.1' }).where('id', '=', place.sessionId).execute()
  expect(await requireActiveNode(db, { principal: own, nodeId, epoch: 1 })).toMatchObject({ readOnly: true })
  expect((await nodeStates(db, [nodeId], LIVENESS_DEFAULTS)).get(nodeId)?.blockers).toEqual(['stale', 'read_only'])
  await db.updateTable('sessions').set({ min_client_version: null }).where('id', '=', place.sessionId).execute()
  await db.updateTable('runtime_node_attachments').set({ state: 'offline' }).where('node_id', '=', nodeId).execute()
  await refused(own, 1).toMatchObject({ code: 'runtimenode.permission_denied' })
})

placeTest('a locked slot holds off its end until the transaction is over', async ({ database, place }) => {
  const nodeId = await addNode(database.db, place, { ageSeconds: 1 })
  const principal = principalOf(place.owner.participantId, null)
  const order: string[] = []
  let ending: Promise<unknown> | undefined
  await database.db.transaction().execute(async (trx) => {
    await requireActiveNode(trx, { principal, nodeId, epoch: 1, lock: true })
    ending = database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'offline' })
      .where('node_id', '=', nodeId)
      .execute()
      .then(() => order.push('ended'))
    await waitForLock(database)
    order.push('worked')
  })
  await ending
  expect(order).toEqual(['worked', 'ended'])
})

placeTest(
  'a lease is held by an active slot of that epoch that is not announced offline, or is back',
  async ({ database, place }) => {
    await anchor(database, { lastRun: 0, ready: 10_000 })
    const fresh = await addNode(database.db, place, { ageSeconds: 1 })
    const late = await addNode(database.db, place, { ageSeconds: 45 })
    const dead = await addNode(database.db, place, { ageSeconds: 61, announced: 'offline' })
    const unjudged = await addNode(database.db, place, { ageSeconds: 500, announced: 'degraded' })
    const back = await addNode(database.db, place, { ageSeconds: 1, announced: 'offline' })
    const gone = await addNode(database.db, place, { ageSeconds: 1 })
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'offline' })
      .where('node_id', '=', gone)
      .execute()
    const claims = [fresh, late, dead, unjudged, back, gone, 'node-unknown'].map((nodeId) => ({ nodeId, epoch: 1 }))
    const holders = await leaseHolders(database.db, [...claims, { nodeId: fresh, epoch: 2 }], LIVENESS_DEFAULTS)
    expect(holders).toEqual(new Set([fresh, late, unjudged, back].map((nodeId) => `${nodeId}:1`)))
    expect(await leaseHolders(database.db, [], LIVENESS_DEFAULTS)).toEqual(new Set())
  },
)
