import { createHash } from 'node:crypto'
import { manifestRoot } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import { seqRangesOf, seqsIn, type CommandResult, type DeliveredCommand, type SeqRange } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { expect } from 'vitest'
import { makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { counted, openedBy, standalone, startWireNode, type WireNode } from './wire-node.ts'

const CHUNKS = 1000
const lineOf = (seq: number): string => `line ${seq}`
const bytes = Array.from({ length: CHUNKS }, (_, seq) => lineOf(seq).length + 1).reduce((sum, each) => sum + each)
const shaOf = (seq: number): Buffer =>
  createHash('sha256')
    .update(`${lineOf(seq)}\n`)
    .digest()
const root = manifestRoot(Array.from({ length: CHUNKS }, (_, seq) => ({ seq, sha256: shaOf(seq) })))
const MANIFEST = { chunks: CHUNKS, lines: CHUNKS, bytes, root }
const chunk = (seq: number) => ({ seq, lines: [lineOf(seq)] })

/** A node whose answers to resends the test gives, with a segment that it has ended and of which the store lacks some chunks. */
const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('node', async ({ server, database, owner, sessionId }, { onCleanup }) => {
    const answer = ({ body }: DeliveredCommand): CommandResult | undefined => {
      if (body.kind === 'segment.open') return openedBy(body)
      if (body.kind === 'segment.resend') return undefined
      return body.kind === 'segment.begin' ? { kind: 'running' } : { kind: 'acknowledged' }
    }
    const token = await makeNodeToken(database, owner, sessionId)
    const targets = [standalone(1)]
    const node = await startWireNode({ url: server.url, owner, token, sessionId, targets, answer })
    onCleanup(() => node[Symbol.asyncDispose]())
    return node
  })
  .extend('endedWithout', ({ node, rpc, sessionId }) => async (dropped: readonly number[]) => {
    const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
    const segment = { captureId: capture.id, segmentNo: 0 }
    const kept = Array.from({ length: CHUNKS }, (_, seq) => seq).filter((seq) => !dropped.includes(seq))
    // In any order: the root is one of the numbers.
    await node.upload(capture.id, 0, kept.toReversed().map(chunk))
    const progress = { sliceNo: 0, halfUsed: false, counters: counted(CHUNKS, bytes), lagMs: 1 }
    const end = { outcome: 'completed', reason: 'duration_cap', detail: null } as const
    const { nodeId, epoch } = node
    await node.rpc.segments.report.mutate({ nodeId, epoch, segments: [{ ...segment, ...progress, end }] })
    return {
      segment,
      prove: () => node.rpc.segments.manifest.mutate({ nodeId, epoch, ...segment, manifest: MANIFEST }),
    }
  })

const resends = (node: WireNode) =>
  node.commands.flatMap(({ commandId, body }) => (body.kind === 'segment.resend' ? [{ commandId, ...body }] : []))
const askedFor = (node: WireNode, count: number) =>
  poll(() => resends(node).length === count && resends(node), { what: `${count} resends` })
const reply = (node: WireNode, commandId: string, notHeld: SeqRange[] = []) => {
  const { nodeId, epoch } = node
  return node.rpc.runtimeNode.answer.mutate({ nodeId, epoch, commandId, result: { kind: 'resent', notHeld } })
}

test('C3: of 1000 chunks the 3 that were dropped on the wire are asked for, and no other, and the roots agree', async ({
  node,
  rpc,
  database,
  endedWithout,
}) => {
  const dropped = [7, 500, 501]
  const { segment, prove } = await endedWithout(dropped)
  expect(await prove()).toEqual({ storage: 'reconciling', missing: seqRangesOf(dropped) })
  const [asked] = await askedFor(node, 1)
  expect(seqsIn(asked!.ranges)).toEqual(dropped)
  expect(await rpc.captures.get.query({ id: segment.captureId })).toMatchObject({
    status: 'running',
    segments: [{ status: 'closing', storage: 'reconciling', missing: seqRangesOf(dropped) }],
  })
  // Asking again while it is answered asks nothing new.
  expect(await prove()).toMatchObject({ storage: 'reconciling' })
  expect(resends(node)).toHaveLength(1)
  const { results } = await node.upload(segment.captureId, 0, dropped.map(chunk))
  expect(results.map(({ outcome }) => outcome)).toEqual(['stored', 'stored', 'stored'])
  await reply(node, asked!.commandId)
  expect(await prove()).toEqual({ storage: 'complete', missing: [] })
  expect(await rpc.captures.get.query({ id: segment.captureId })).toMatchObject({
    status: 'completed',
    segments: [{ storage: 'complete', chunkCount: CHUNKS, lineCount: CHUNKS }],
  })
  const { count } = await database.db
    .selectFrom('capture_chunks')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('capture_id', '=', segment.captureId)
    .executeTakeFirstOrThrow()
  expect(count).toBe(CHUNKS)
})

test('C3: what the node does not hold any more is named, once it is known that the rest agrees', async ({
  node,
  rpc,
  endedWithout,
}) => {
  const dropped = [1, 2, 9]
  const { segment, prove } = await endedWithout(dropped)
  await prove()
  const [asked] = await askedFor(node, 1)
  await node.upload(segment.captureId, 0, [chunk(9)])
  await reply(node, asked!.commandId, [{ fromSeq: 1, toSeq: 2 }])
  expect(await prove()).toMatchObject({ storage: 'reconciling' })
  // In ranges of 256, with the hashes of what is stored.
  const all = await askedFor(node, 1 + Math.ceil((CHUNKS - 2) / 256))
  const compared = all.slice(1)
  expect(compared.flatMap(({ stored }) => stored)).toEqual(
    compared.flatMap(({ ranges }) => seqsIn(ranges)).map((seq) => shaOf(seq).toString('hex')),
  )
  for (const { commandId } of compared) await reply(node, commandId)
  const missing = [{ fromSeq: 1, toSeq: 2 }]
  expect(await prove()).toEqual({ storage: 'incomplete', missing })
  expect(await rpc.captures.get.query({ id: segment.captureId })).toMatchObject({
    status: 'partial',
    segments: [{ status: 'incomplete', storage: 'incomplete', missing }],
  })
})

test('C3: a node that knows nothing of the segment any more ends the reconciling', async ({
  node,
  rpc,
  endedWithout,
}) => {
  const { segment, prove } = await endedWithout([4])
  await prove()
  const [asked] = await askedFor(node, 1)
  const { nodeId, epoch } = node
  const result = { kind: 'refused', code: 'segment_unknown', detail: 'started anew' } as const
  await node.rpc.runtimeNode.answer.mutate({ nodeId, epoch, commandId: asked!.commandId, result })
  expect(await rpc.captures.get.query({ id: segment.captureId })).toMatchObject({
    status: 'partial',
    segments: [{ status: 'incomplete', storage: 'incomplete', missing: [{ fromSeq: 4, toSeq: 4 }] }],
  })
})

test('C3: a capture that is deleted while it is repaired is gone: the late chunk is refused and never stored', async ({
  node,
  rpc,
  database,
  endedWithout,
}) => {
  const { segment, prove } = await endedWithout([4])
  await database.db
    .updateTable('capture_segments')
    .set({ status: 'lost', storage: 'incomplete' })
    .where('capture_id', '=', segment.captureId)
    .execute()
  await poll(async () => (await rpc.captures.get.query({ id: segment.captureId })).status !== 'running', {
    what: 'the capture to end',
  })
  expect(await prove()).toMatchObject({ storage: 'reconciling' })
  const [asked] = await askedFor(node, 1)
  await rpc.captures.delete.mutate({ id: segment.captureId })
  const { results } = await node.upload(segment.captureId, 0, [chunk(4)])
  expect(results.map(({ outcome }) => outcome)).toEqual(['capture.gone'])
  await expect(prove()).rejects.toThrow('The capture was deleted')
  await expect(reply(node, asked!.commandId)).rejects.toThrow()
  const chunks = database.db.selectFrom('capture_chunks').select('seq').where('capture_id', '=', segment.captureId)
  expect(await chunks.where('seq', '=', 4).execute()).toEqual([])
})
