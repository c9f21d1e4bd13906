import { newId } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, goOnline } from './node-support.ts'
import { makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { createClient } from '@sonde/client'
import { counted, standalone, startWireNode } from './wire-node.ts'

const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('nodeCaller', async ({ server, database, owner, sessionId }) => {
    const token = await makeNodeToken(database, owner, sessionId)
    return { url: server.url, owner, token, sessionId }
  })
  .extend('node', async ({ nodeCaller }, { onCleanup }) => {
    const node = await startWireNode({ ...nodeCaller, targets: [standalone(1), standalone(2), standalone(3)] })
    onCleanup(() => node[Symbol.asyncDispose]())
    return node
  })

test('a node learns what is stored of its segments: up to where nothing is missing, the highest, and the holes', async ({
  node,
  rpc,
  sessionId,
  database,
  owner,
  nodeCaller,
}) => {
  const { capture } = await rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'primaries' },
    followTopology: false,
  })
  const captureId = capture.id
  const upload = (segmentNo: number, seqs: number[]) =>
    node.upload(
      captureId,
      segmentNo,
      seqs.map((seq) => ({ seq, lines: [`line ${seq}`] })),
    )
  await upload(0, [0, 1, 3, 6])
  await upload(1, [1, 2])
  const token = await makeNodeToken(database, owner, sessionId)
  await using stranger = await startWireNode({ ...nodeCaller, token, targets: [standalone(4)] })
  const other = await rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'targets', targetIds: stranger.targetIds },
  })

  const { nodeId, epoch } = node
  const refs = [0, 1, 2].map((segmentNo) => ({ captureId, segmentNo }))
  const unknown = [
    { captureId: newId(), segmentNo: 0 },
    { captureId: other.capture.id, segmentNo: 0 },
  ]
  const answer = await node.rpc.segments.committed.query({ nodeId, epoch, segments: [...refs, ...unknown] })
  const nothing = { contiguous: -1, last: -1, holes: [] }
  expect(answer.segments).toEqual([
    {
      ...refs[0],
      status: 'running',
      contiguous: 1,
      last: 6,
      holes: [
        { fromSeq: 2, toSeq: 2 },
        { fromSeq: 4, toSeq: 5 },
      ],
    },
    { ...refs[1], status: 'running', contiguous: -1, last: 2, holes: [{ fromSeq: 0, toSeq: 0 }] },
    { ...refs[2], status: 'running', ...nothing },
    ...unknown.map((ref) => ({ ...ref, status: null, ...nothing })),
  ])
})

test('a node that is attached anew goes on with the segment that it reports, and loses the one that it does not', async ({
  node,
  rpc,
  database,
  sessionId,
  nodeCaller,
}) => {
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const { nodeId } = node
  const { epoch } = await attach(nodeCaller, { sessionId, nodeId })
  expect(epoch).toBeGreaterThan(node.epoch)
  await goOnline(nodeCaller, nodeId)
  const progress = { sliceNo: 0, halfUsed: false, counters: counted(3), lagMs: 1 }
  const segments = [{ captureId: capture.id, segmentNo: 1, ...progress }]
  await expect(node.rpc.segments.report.mutate({ nodeId, epoch: node.epoch, segments })).rejects.toThrow()
  await node.rpc.segments.report.mutate({ nodeId, epoch, segments })
  const statuses = async () => (await rpc.captures.get.query({ id: capture.id })).segments.map((each) => each.status)
  // Time for two rounds of the sweep.
  await poll(
    async () => {
      const { rows } = await sql<{ age: number }>`
        select extract(epoch from now() - last_attached_at)::float8 as age
        from runtime_node_attachments where node_id = ${nodeId}`.execute(database.db)
      return rows[0]!.age > 2.2
    },
    { what: 'two sweeps' },
  )
  expect(await statuses()).toEqual(['running', 'running', 'running'])
  await database.db
    .updateTable('runtime_node_attachments')
    .set({ last_attached_at: sql`now() - interval '61 seconds'` })
    .where('node_id', '=', nodeId)
    .execute()
  await poll(async () => (await statuses()).includes('lost'), { what: 'the silent segments to be given up' })
  expect(await statuses()).toEqual(['lost', 'running', 'lost'])
  expect((await rpc.captures.get.query({ id: capture.id })).segments[1]!.counters.recorded).toBe(3)
})
