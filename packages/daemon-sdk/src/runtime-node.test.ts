import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { createClient } from '@sonde/client'
import { freePort, ManualClock, poll, startControlPlane, startFaultProxy } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect, test } from 'vitest'
import { createRuntimeNode } from './runtime-node.ts'
import { ENV, insertToken, makeSession, nodeTest, rosterOf, startNode, synthetic } from '../test/support.ts'

nodeTest.for(['worker', 'inline'] as const)(
  'a node with its lane in %s attaches, declares, comes online and goes on beating',
  async (lane, { plane, session }) => {
    await using started = startNode({ url: plane.url, token: session.nodeToken, lane })
    const { epoch } = await started.heard('online')
    expect(started.events.attached).toEqual([{ epoch, previousEpoch: undefined, readOnly: false }])
    expect(started.node.epoch).toBe(epoch)
    const { creditBytes } = await started.heard('credit', 3)
    expect(creditBytes).toBeGreaterThan(0)
    const row = await rosterOf(plane.url, session, started.nodeId)
    expect(row).toMatchObject({ state: 'online', liveness: 'online', epoch, clientVersion: '1.0', schedulable: true })
    expect(row?.host).toBe(hostname())
  },
)

nodeTest.for(['worker', 'inline'] as const)(
  'a node with its lane in %s opens no connection before it is started, and none when it is stopped before',
  async (lane) => {
    let connections = 0
    await using server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const make = () =>
      createRuntimeNode({
        url: `http://127.0.0.1:${port}`,
        token: 'sonde_n_x',
        nodeId: 'node-x',
        clientVersion: '1.0',
        capabilities: {},
        onCommand: () => Promise.resolve({ kind: 'acknowledged' }),
        lane,
      })
    const never = make()
    await never.stop()
    never.start()
    const node = make()
    const refused = node.report([])
    await expect(refused).rejects.toMatchObject({ code: 'control_plane.unreachable' })
    expect([node.state, connections]).toEqual(['idle', 0])
    node.start()
    await poll(() => connections > 0, { what: 'the connection' })
    await node.stop()
    expect([never.state, node.state]).toEqual(['stopped', 'stopped'])
  },
)

nodeTest('attaching leaves the row of the session as it was', async ({ plane, session, database }) => {
  const row = () => database.db.selectFrom('sessions').selectAll().where('id', '=', session.sessionId).execute()
  const before = await row()
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  await started.heard('online')
  expect(before).toHaveLength(1)
  expect(await row()).toEqual(before)
})

nodeTest(
  'a node that cannot be heard stays visible while it degrades, and a beat brings it back',
  async ({ plane, session }) => {
    await using proxy = await startFaultProxy({ port: Number(new URL(plane.url).port) })
    await using started = startNode({ url: `http://127.0.0.1:${proxy.port}`, token: session.nodeToken })
    const { epoch } = await started.heard('online')
    const until = (liveness: string) =>
      poll(
        async () => {
          const row = await rosterOf(plane.url, session, started.nodeId)
          return row?.liveness === liveness && row
        },
        { what: `liveness ${liveness}` },
      )
    proxy.pause()
    expect(await until('degraded')).toMatchObject({ state: 'online', schedulable: false })
    expect(await until('offline')).toMatchObject({ state: 'online', schedulable: false, epoch })
    await proxy.resume()
    expect(await until('online')).toMatchObject({ state: 'online', schedulable: true, epoch })
    expect(started.events.attached).toHaveLength(1)
  },
)

nodeTest('a cut connection is made again, in the same epoch and without a new attach', async ({ plane, session }) => {
  await using proxy = await startFaultProxy({ port: Number(new URL(plane.url).port) })
  await using started = startNode({ url: `http://127.0.0.1:${proxy.port}`, token: session.nodeToken })
  const { epoch } = await started.heard('online')
  const before = await rosterOf(plane.url, session, started.nodeId)
  for (let cuts = 1; cuts <= 3; cuts += 1) {
    proxy.cut()
    await started.heard('disconnected', cuts)
    await started.heard('reconnected', cuts)
    const beats = started.events.credit.length
    await started.heard('credit', beats + 1)
  }
  expect(started.events.attached).toHaveLength(1)
  expect(started.node.epoch).toBe(epoch)
  const after = await rosterOf(plane.url, session, started.nodeId)
  expect(after).toMatchObject({ state: 'online', liveness: 'online', epoch, lastAttachedAt: before?.lastAttachedAt })
})

dbTest(
  'after a kill -9 of the control plane and its restart the node is back by itself',
  async ({ database, databaseUrl }) => {
    const session = await makeSession(database.db)
    await using plane = await startControlPlane({ databaseUrl, env: ENV })
    await using started = startNode({ url: plane.url, token: session.nodeToken })
    const { epoch } = await started.heard('online')
    await plane.kill()
    await started.heard('disconnected')
    await plane.restart()
    await started.heard('reconnected')
    const beats = started.events.credit.length
    await started.heard('credit', beats + 2)
    const row = await rosterOf(plane.url, session, started.nodeId)
    expect(row).toMatchObject({ state: 'online', liveness: 'online', epoch })
    expect(started.node.state).toBe('running')
    // A deploy: the server says that it goes, and the node comes back too.
    await plane.stop()
    await plane.restart()
    await started.heard('reconnected', 2)
    const beatsBefore = started.events.credit.length
    await started.heard('credit', beatsBefore + 1)
    expect(started.node.epoch).toBe(epoch)
  },
)

nodeTest('a node that is stopped detaches with its reason and says no more', async ({ plane, session, database }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  await started.heard('online')
  const begun = performance.now()
  await started.node.stop({ reason: 'SIGTERM' })
  expect(performance.now() - begun).toBeLessThan(2_500)
  expect(started.told.at(-1)).toBe('stopped')
  const row = await rosterOf(plane.url, session, started.nodeId)
  expect(row).toMatchObject({ state: 'offline', liveness: 'offline' })
  const slot = database.db.selectFrom('runtime_node_attachments').select('end_reason')
  expect(await slot.where('node_id', '=', started.nodeId).executeTakeFirst()).toEqual({ end_reason: 'SIGTERM' })
  await expect(started.node.report([])).rejects.toMatchObject({ code: 'control_plane.unreachable' })
})

nodeTest('a stop in the middle of the attach leaves no slot behind', async ({ plane, session }) => {
  const started = startNode({ url: plane.url, token: session.nodeToken })
  await poll(() => started.node.state === 'attaching', { what: 'the attach' })
  await started.node.stop()
  expect((await rosterOf(plane.url, session, started.nodeId))?.state ?? 'offline').toBe('offline')
})

nodeTest('an older incarnation is fenced and does not come back', async ({ plane, session }) => {
  await using older = startNode({ url: plane.url, token: session.nodeToken })
  const { epoch } = await older.heard('online')
  await using newer = startNode({ url: plane.url, token: session.nodeToken, nodeId: older.nodeId })
  await newer.heard('online')
  expect(await older.heard('fenced')).toEqual({ epoch })
  expect(older.node.state).toBe('fenced')
  await expect(older.node.report([])).rejects.toMatchObject({ code: 'runtimenode.fenced' })
  // Its end must not take the newer one's slot away.
  await older.node.stop()
  await newer.heard('credit', newer.events.credit.length + 2)
  expect(await rosterOf(plane.url, session, older.nodeId)).toMatchObject({ state: 'online', epoch: epoch + 1 })
})

nodeTest(
  'of two processes with one node id the newer stays: the older stops and does not fight',
  async ({ plane, session }) => {
    await using older = startNode({ url: plane.url, token: session.nodeToken })
    await older.heard('online')
    await using newer = startNode({ url: plane.url, token: session.nodeToken, nodeId: older.nodeId })
    const { epoch } = await newer.heard('online')
    await older.heard('fenced')
    await newer.heard('credit', newer.events.credit.length + 5)
    expect([older.events.attached.length, newer.events.attached.length]).toEqual([1, 1])
    expect(newer.events.fenced).toEqual([])
    expect(older.told.slice(older.told.indexOf('fenced') + 1)).toEqual([])
    expect(await rosterOf(plane.url, session, older.nodeId)).toMatchObject({
      state: 'online',
      liveness: 'online',
      epoch,
    })
  },
)

nodeTest('a revoked node stops for good', async ({ plane, session, database }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  await started.heard('online')
  const slots = database.db.updateTable('runtime_node_attachments').where('node_id', '=', started.nodeId)
  await slots.set({ state: 'revoked' }).execute()
  expect((await started.heard('revoked')).code).toBe('runtimenode.attach_revoked')
  expect(started.node.state).toBe('revoked')
})

nodeTest('a token that is not known stops the node for good', async ({ plane }) => {
  await using started = startNode({ url: plane.url, token: `sonde_n_${randomBytes(32).toString('base64url')}` })
  expect((await started.heard('revoked')).code).toBe('auth.token_invalid')
})

nodeTest('a node whose slot was ended by a person attaches again in a new epoch', async ({ plane, session }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  const { epoch } = await started.heard('online')
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  await owner.rpc.runtimeNode.detach.mutate({ nodeId: started.nodeId })
  expect(await started.heard('attached', 2)).toEqual({ epoch: epoch + 1, previousEpoch: epoch, readOnly: false })
  expect(await started.heard('online', 2)).toEqual({ epoch: epoch + 1 })
})

nodeTest('a node below the floor is admitted read-only and keeps beating', async ({ plane, database }) => {
  const session = await makeSession(database.db, { floor: '2.0' })
  await using below = startNode({ url: plane.url, token: session.nodeToken, clientVersion: '1.9' })
  const second = await insertToken(database.db, 'node', session)
  await using above = startNode({ url: plane.url, token: second, clientVersion: '2.0' })
  await above.heard('online')
  await below.heard('credit', 3)
  expect(below.events.attached[0]?.readOnly).toBe(true)
  expect(below.node.state).toBe('running')
  expect(await rosterOf(plane.url, session, below.nodeId)).toMatchObject({ state: 'registering', readOnly: true })
  expect(await rosterOf(plane.url, session, above.nodeId)).toMatchObject({ state: 'online', readOnly: false })
})

nodeTest('a floor that is raised over a running node is surfaced, and the node stays', async ({ plane, session }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  await started.heard('online')
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  await owner.rpc.sessions.setFloor.mutate({ sessionId: session.sessionId, minClientVersion: '3.0' })
  expect(await started.heard('readOnlyChanged')).toEqual({ readOnly: true })
  await started.heard('credit', started.events.credit.length + 2)
  expect(await rosterOf(plane.url, session, started.nodeId)).toMatchObject({ state: 'online', readOnly: true })
})

nodeTest(
  'a node that is active elsewhere waits about 30 s, then takes its place',
  async ({ plane, session, database }) => {
    const elsewhere = await makeSession(database.db, { participantId: session.participantId })
    const first = startNode({ url: plane.url, token: elsewhere.nodeToken })
    await first.heard('online')
    const clock = new ManualClock()
    await using second = startNode({
      url: plane.url,
      token: session.nodeToken,
      nodeId: first.nodeId,
      lane: 'inline',
      clock,
      random: () => 0,
    })
    await poll(() => clock.pending === 1 && clock.nextInMs === 27_000, { what: 'the slow wait' })
    await first.node.stop()
    clock.advance(27_000)
    await second.heard('online')
  },
)

test('while nothing answers the node tries for ever, each wait within a bound that doubles up to 30 s', async () => {
  const clock = new ManualClock()
  const url = `http://127.0.0.1:${await freePort()}`
  await using started = startNode({ url, token: 'sonde_n_x', lane: 'inline', clock, random: () => 0.5 })
  const waits: number[] = []
  for (let tries = 0; tries < 9; tries += 1) {
    // The call's own limit, then the wait before the next one.
    await clock.advanceAsync(10_000)
    waits.push(clock.nextInMs ?? -1)
    await clock.advanceAsync(clock.nextInMs ?? 0)
  }
  expect(waits).toEqual([125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000])
  expect(started.node.state).toBe('attaching')
  const stopped = started.node.stop()
  await clock.advanceAsync(2_000)
  await stopped
})

nodeTest('targets are declared before commands come, and again after each attach', async ({ plane, session }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  const list = { targets: [synthetic] }
  const { targetIds } = await started.node.declareTargets(list)
  expect(targetIds).toHaveLength(1)
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  await owner.rpc.runtimeNode.detach.mutate({ nodeId: started.nodeId })
  await started.heard('attached', 2)
  expect(await started.heard('targetsDeclared', 2)).toEqual({ list, targetIds })
  const { targets } = await owner.rpc.targets.list.query({ sessionId: session.sessionId })
  expect(targets.map((target) => [target.id, target.nodeIds])).toEqual([[targetIds[0], [started.nodeId]]])
})
