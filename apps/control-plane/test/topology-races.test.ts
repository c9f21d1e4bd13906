import { createClient } from '@sonde/client'
import type { DeclaredTarget } from '@sonde/contracts'
import { poll, startControlPlane } from '@sonde/testing'
import { expect } from 'vitest'
import { makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { standalone, startWireNode, type WireNode } from './wire-node.ts'

const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend(
    'member',
    ({ sessionId }) =>
      (port: number, fields: Partial<DeclaredTarget>): DeclaredTarget =>
        standalone(port, { clusterNodeId: `member-${sessionId}-${port}`, cluster: 0, configEpoch: 1, ...fields }),
  )
  .extend('nodeWith', ({ server, database, owner, sessionId }, { onCleanup }) => {
    const nodes: WireNode[] = []
    onCleanup(async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    })
    return async (targets: DeclaredTarget[], url = server.url): Promise<WireNode> => {
      const token = await makeNodeToken(database, owner, sessionId)
      const node = await startWireNode({ url, owner, token, sessionId, targets, clusters: [{ ok: true }] })
      nodes.push(node)
      return node
    }
  })
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })

const OWNED: DeclaredTarget['slots'] = [[0, 9]]
const declare = ({ rpc, nodeId, epoch }: WireNode, targets: DeclaredTarget[]) =>
  rpc.targets.declare.mutate({ nodeId, epoch, clusters: [{ ok: true }], targets })

test(
  'of a failover that 8 nodes declare at once to two replicas, one segment comes, and one seam',
  { timeout: 60_000 },
  async ({ databaseUrl, server, member, nodeWith, rpc, sessionId }) => {
    await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
    const before = (reachable: boolean) => [
      member(1, { slots: OWNED, reachable }),
      member(2, { role: 'replica', slots: [], reachable }),
    ]
    const after = (reachable: boolean) => [
      member(1, { role: 'replica', slots: [], configEpoch: 2, reachable }),
      member(2, { slots: OWNED, configEpoch: 2, reachable }),
    ]
    const reader = await nodeWith(before(true))
    const watching = Array.from({ length: 7 }, (_, index) =>
      nodeWith(before(false), index % 2 ? server.url : second.url),
    )
    const nodes = [reader, ...(await Promise.all(watching))]
    const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' }, durationMs: 60_000 })
    await Promise.all(nodes.map((node) => declare(node, after(node === reader))))
    const followed = await rpc.captures.get.query({ id: capture.id })
    expect(followed.segments.map(({ targetPort }) => targetPort)).toEqual([1, 2])
    expect(followed.segments.map(({ gaps }) => gaps)).toMatchObject([
      [{ reason: 'role_changed', peerSegmentNo: 1 }],
      [{ reason: 'role_changed', peerSegmentNo: 0 }],
    ])
    await poll(() => reader.commands.some(({ body }) => body.kind === 'segment.stop'), { what: 'the stop' })
    const opens = reader.commands.flatMap(({ body }) => (body.kind === 'segment.open' ? [body] : []))
    expect(opens.map(({ segmentNo }) => segmentNo)).toEqual([0, 1])
    // It gets what is left of the time, not all of it, and a part of the one budget.
    expect(opens[1]!.durationMs).toBeLessThan(60_000)
    expect(opens[0]!.slice.bytes + opens[1]!.slice.bytes).toBeLessThan(capture.byteCap)
    const stops = reader.commands.flatMap(({ body }) => (body.kind === 'segment.stop' ? [body] : []))
    expect(stops).toMatchObject([{ segmentNo: 0, reason: 'role_changed' }])
    await poll(async () => (await rpc.captures.get.query({ id: capture.id })).segments[1]!.status === 'running', {
      what: 'the joined segment to run',
    })
  },
)

test('without followTopology, and for named targets, what was started is what is captured', async ({
  member,
  nodeWith,
  rpc,
  sessionId,
}) => {
  const one = await nodeWith([member(1, { slots: OWNED })])
  const two = await nodeWith([standalone(7)])
  const fixed = await rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'primaries' },
    followTopology: false,
  })
  expect(fixed.capture.followTopology).toBe(false)
  await declare(one, [member(1, { slots: [[0, 4]], configEpoch: 2 }), member(2, { slots: [[5, 9]], configEpoch: 3 })])
  await declare(two, [standalone(7), standalone(8)])
  const later = await rpc.captures.get.query({ id: fixed.capture.id })
  expect(later.segments.map(({ targetPort }) => targetPort).toSorted()).toEqual([1, 7])
  const targetIds = (await rpc.targets.list.query({ sessionId })).targets.flatMap(({ port, id }) =>
    port === 2 ? [id] : [],
  )
  const named = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'targets', targetIds } })
  await declare(one, [
    member(1, { slots: [[0, 9]], configEpoch: 4 }),
    member(2, { slots: [], role: 'replica', configEpoch: 4 }),
  ])
  const kept = await rpc.captures.get.query({ id: named.capture.id })
  expect(kept.segments.map(({ status }) => status)).toEqual(['running'])
})

test('a new owner that nobody reads is told as skipped, and joins when a node reads it', async ({
  member,
  nodeWith,
  rpc,
  sessionId,
}) => {
  const one = await nodeWith([member(1, { slots: OWNED })])
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const split = [member(1, { slots: [[0, 4]] }), member(2, { slots: [[5, 9]], configEpoch: 2, reachable: false })]
  await declare(one, split)
  const seen = async () =>
    (await rpc.captures.get.query({ id: capture.id })).segments.map(
      ({ targetPort, status, terminationReason: why }) => [targetPort, why ?? status],
    )
  expect(await seen()).toEqual([
    [1, 'running'],
    [2, 'target_unreachable'],
  ])
  await declare(one, split)
  expect(await seen()).toHaveLength(2)
  await nodeWith([member(1, { slots: [[0, 4]], reachable: false }), member(2, { slots: [[5, 9]], configEpoch: 2 })])
  const isRead = async () => (await seen())[2]?.[1] === 'running'
  await poll(isRead, { what: 'the new owner to be read' })
  expect(await seen()).toEqual([
    [1, 'running'],
    [2, 'target_unreachable'],
    [2, 'running'],
  ])
  // What nobody read lies between the first and the last, and the chain of seams says so.
  const { segments } = await rpc.captures.get.query({ id: capture.id })
  expect(segments.map(({ gaps }) => gaps.map(({ peerSegmentNo }) => peerSegmentNo))).toEqual([[1], [0, 2], [1]])
})

test('of the replicas the promoted one ends, and the former primary goes on with its seam', async ({
  member,
  nodeWith,
  rpc,
  sessionId,
}) => {
  const idOf = (port: number) => `member-${sessionId}-${port}`
  const one = await nodeWith([
    member(1, { slots: OWNED, shard: idOf(1) }),
    member(2, { role: 'replica', slots: [], shard: idOf(1) }),
  ])
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'replicas' } })
  await declare(one, [
    member(1, { role: 'replica', slots: [], shard: idOf(2), configEpoch: 2 }),
    member(2, { slots: OWNED, shard: idOf(2), configEpoch: 2 }),
  ])
  const { segments } = await rpc.captures.get.query({ id: capture.id })
  expect(segments.map(({ targetPort, role }) => [targetPort, role])).toEqual([
    [2, 'replica'],
    [1, 'replica'],
  ])
  expect(segments.map(({ gaps }) => gaps[0]?.peerSegmentNo)).toEqual([1, 0])
  await poll(() => one.commands.some(({ body }) => body.kind === 'segment.stop'), { what: 'the stop' })
  const stop = one.commands.find(({ body }) => body.kind === 'segment.stop')
  expect(stop?.body).toMatchObject({ segmentNo: 0, reason: 'role_changed' })
})
