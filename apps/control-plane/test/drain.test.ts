import { createClient } from '@sonde/client'
import type { CaptureStartResult } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { expect } from 'vitest'
import { beat, detach, verdictOf } from './node-support.ts'
import { act, drainOf, shownTo } from './scheduling-support.ts'
import { bindToken, call, makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { counted, standalone, startWireNode, type WireNode, type WireNodeOptions } from './wire-node.ts'

const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('nodeWith', ({ server, database, owner, sessionId }, { onCleanup }) => {
    const nodes: WireNode[] = []
    onCleanup(async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    })
    return async (options: Pick<WireNodeOptions, 'targets'>): Promise<WireNode> => {
      const token = await makeNodeToken(database, owner, sessionId)
      const node = await startWireNode({ url: server.url, owner, token, sessionId, ...options })
      nodes.push(node)
      return node
    }
  })

test('a start skips a target whose node is cordoned, and a capture that runs on it goes on', async ({
  nodeWith,
  server,
  owner,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1), standalone(2)] })
  const other = await nodeWith({ targets: [standalone(3)] })
  const start = async (targetIds: string[]) => {
    const scope = { kind: 'targets', targetIds }
    return call(server.url, owner.token, 'captures.start', { sessionId, scope })
  }
  const running = (await start([node.targetIds[0]!])).data as CaptureStartResult
  expect(running.capture.segments).toMatchObject([{ status: 'running', nodeId: node.nodeId }])

  await act(owner, { url: server.url, sessionId, nodeId: node.nodeId }, { procedure: 'cordon' })
  const next = (await start([node.targetIds[1]!, other.targetIds[0]!])).data as CaptureStartResult
  const byTarget = new Map(next.capture.segments.map((segment) => [segment.targetId, segment]))
  expect(byTarget.get(node.targetIds[1]!)).toMatchObject({ status: 'skipped', terminationReason: 'node_cordoned' })
  expect(byTarget.get(other.targetIds[0]!)).toMatchObject({ status: 'running', nodeId: other.nodeId })
  expect(await start([node.targetIds[1]!])).toMatchObject({
    status: 503,
    error: { code: 'fanout.quorum_not_met', details: { missing: [{ reason: 'node_cordoned' }] } },
  })

  const upload = await node.upload(running.capture.id, 0, [{ seq: 0, lines: ['a', 'b'] }])
  expect(upload.results).toMatchObject([{ outcome: 'stored' }])
  await using client = createClient({ url: server.url, token: owner.token })
  const seen = await client.rpc.captures.get.query({ id: running.capture.id })
  expect(seen.segments).toMatchObject([{ status: 'running', lineCount: 2 }])
})

test('a node with a capture is removed only by force, whose answer counts the lines; its chunks count while it drains', async ({
  nodeWith,
  server,
  owner,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const { nodeId, epoch } = node
  const place = { url: server.url, sessionId, nodeId }
  const scope = { kind: 'primaries' }
  const { capture } = (await call(server.url, owner.token, 'captures.start', { sessionId, scope }))
    .data as CaptureStartResult
  await act(owner, place, drainOf({ force: true }))
  expect((await node.upload(capture.id, 0, [{ seq: 0, lines: ['a', 'b'] }])).results).toMatchObject([
    { outcome: 'stored' },
  ])
  const progress = { captureId: capture.id, segmentNo: 0, sliceNo: 0, halfUsed: false, lagMs: 1 }
  await node.rpc.segments.report.mutate({ nodeId, epoch, segments: [{ ...progress, counters: counted(5, 50) }] })

  expect(await act(owner, place, { procedure: 'remove' })).toMatchObject({
    status: 409,
    error: { code: 'node.not_drained', details: { segments: 1, unstoredLines: 3 } },
  })
  expect((await shownTo(owner, place)).state).toBe('online')
  const removed = await act(owner, place, { procedure: 'remove', force: true, reason: 'host is gone' })
  expect(removed).toMatchObject({ status: 200, data: { state: 'offline', unstoredLines: 3 } })
  const shown = await shownTo(owner, place)
  expect(shown).toMatchObject({ state: 'offline', healthState: 'offline', drain: null })
  expect(shown.transitions.map(({ axis, cause }) => `${axis} ${cause}`).slice(0, 3)).toEqual([
    'scheduling remove',
    'liveness remove',
    'slot remove',
  ])
  expect((await act(owner, place, { procedure: 'remove' })).data).toMatchObject({ state: 'offline', unstoredLines: 0 })
})

test('a node without work is removed at once', async ({ nodeWith, server, owner, sessionId }) => {
  const { nodeId } = await nodeWith({ targets: [standalone(1)] })
  const place = { url: server.url, sessionId, nodeId }
  expect((await act(owner, place, { procedure: 'remove' })).data).toMatchObject({ state: 'offline', unstoredLines: 0 })
  expect((await beat({ url: server.url, owner }, { nodeId })).error?.code).toBe('runtimenode.permission_denied')
})

test('the last node that takes work and reaches a primary is drained only by force', async ({
  nodeWith,
  server,
  owner,
  sessionId,
}) => {
  const shared = standalone(1)
  const one = await nodeWith({ targets: [shared, standalone(2, { role: 'replica' })] })
  const place = (node: WireNode) => ({ url: server.url, sessionId, nodeId: node.nodeId })
  expect(await act(owner, place(one), drainOf())).toMatchObject({
    status: 409,
    error: { code: 'node.last_of_primary', details: { targets: [{ targetId: one.targetIds[0], port: 1 }] } },
  })
  expect((await shownTo(owner, place(one))).cordonedAt).toBeNull()
  const two = await nodeWith({ targets: [shared] })
  const caller = { url: server.url, owner }
  // Both at once: each sees the other's node as the one that stays, unless one waits for the other.
  const answers = await Promise.all([one, two].map((node) => act(owner, place(node), drainOf())))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
  const refused = answers[0]?.status === 409 ? one : two
  expect((await act(owner, place(refused), drainOf({ force: true }))).status).toBe(200)
  expect(verdictOf(await beat(caller, { nodeId: refused.nodeId })).drain).toBe('finish')
  await detach(caller, { nodeId: refused.nodeId })
})

test('a revoked node loses its lane within a second, and so does one that is displaced', async ({
  nodeWith,
  server,
  database,
  owner,
  sessionId,
}) => {
  const ended = async (end: (nodeId: string) => Promise<unknown>) => {
    const { nodeId, epoch } = await nodeWith({ targets: [standalone(1)] })
    const token = await makeNodeToken(database, owner, sessionId)
    await bindToken(database, token, nodeId)
    await using client = createClient({ url: server.url, token })
    const errors: string[] = []
    const open = Promise.withResolvers<void>()
    client.rpc.runtimeNode.commands.subscribe(
      { nodeId, epoch },
      {
        onStarted: () => open.resolve(),
        onError: (error) => errors.push(error.data?.sondeError.code ?? error.message),
      },
    )
    await open.promise
    await end(nodeId)
    await poll(() => errors.length > 0, { what: 'the end of the lane', timeoutMs: 1_000 })
    return errors[0]
  }
  const revoke = (nodeId: string) => act(owner, { url: server.url, sessionId, nodeId }, { procedure: 'revoke' })
  // Told by the subscription, or by the one that follows it when the connection was closed first.
  expect(['runtimenode.permission_denied', 'runtimenode.attach_revoked']).toContain(await ended(revoke))
  const displace = (nodeId: string) =>
    call(server.url, owner.token, 'runtimeNode.attach', {
      sessionId,
      nodeId,
      participantId: owner.participantId,
      clientVersion: '1.0',
      capabilities: {},
      healthState: 'online',
      instanceId: crypto.randomUUID(),
    })
  expect(await ended(displace)).toBe('runtimenode.fenced')
})
