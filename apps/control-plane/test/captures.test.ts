import {
  DAY_MS,
  newId,
  type Capture,
  type CaptureStartResult,
  type CommandResult,
  type DeliveredCommand,
} from '@sonde/contracts'
import { manifestRoot } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import { poll, startControlPlane } from '@sonde/testing'
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  addMember,
  call,
  makeNodeToken,
  makePerson,
  makeSession,
  query,
  serverTest,
  withoutRequestId,
  type Person,
} from './support.ts'
import { openStream } from './stream-support.ts'
import { counted, openedBy, standalone, startWireNode, type WireNode, type WireNodeOptions } from './wire-node.ts'

const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('nodeWith', ({ server, database, owner, sessionId }, { onCleanup }) => {
    const nodes: WireNode[] = []
    onCleanup(async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    })
    return async (options: Pick<WireNodeOptions, 'targets'> & Partial<WireNodeOptions>): Promise<WireNode> => {
      const token = await makeNodeToken(database, owner, sessionId)
      const node = await startWireNode({ url: server.url, owner, token, sessionId, ...options })
      nodes.push(node)
      return node
    }
  })
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })

const NOTHING = manifestRoot([])
const rootOf = (chunks: string[][]) =>
  manifestRoot(
    chunks.map((lines, seq) => ({
      seq,
      sha256: createHash('sha256')
        .update(lines.map((line) => `${line}\n`).join(''))
        .digest(),
    })),
  )
const bytesOf = (chunks: string[][]) => chunks.flat().reduce((sum, line) => sum + line.length + 1, 0)

/** Ends a segment as a daemon does: the end, then the manifest of what it cut. */
const finish = async (
  node: WireNode,
  segment: { captureId: string; segmentNo: number },
  chunks: string[][] = [],
  end: {
    outcome: 'completed' | 'truncated' | 'failed'
    reason: 'duration_cap' | 'line_cap' | 'source_closed' | 'manual_stop'
  } = {
    outcome: 'completed',
    reason: 'duration_cap',
  },
) => {
  const { nodeId, epoch } = node
  const lines = chunks.flat().length
  const progress = { sliceNo: 0, halfUsed: false, counters: counted(lines, bytesOf(chunks)), lagMs: 1 }
  await node.rpc.segments.report.mutate({
    nodeId,
    epoch,
    segments: [{ ...segment, ...progress, end: { ...end, detail: null } }],
  })
  const manifest = { chunks: chunks.length, lines, bytes: bytesOf(chunks), root: rootOf(chunks) }
  return poll(
    async () => {
      const answer = await node.rpc.segments.manifest.mutate({ nodeId, epoch, ...segment, manifest })
      return answer.storage === 'reconciling' ? undefined : answer
    },
    { what: 'the manifest to be settled' },
  )
}

const refuseOpen = ({ body }: DeliveredCommand): CommandResult =>
  body.kind === 'segment.open'
    ? { kind: 'refused', code: 'monitor_open_failed', detail: 'NOPERM this user has no permissions to run MONITOR' }
    : { kind: 'acknowledged' }

const statuses = (capture: Capture) => capture.segments.map((segment) => segment.status)

test('a capture over two nodes runs, stores what is uploaded and completes by its manifests', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const [one, two] = [await nodeWith({ targets: [standalone(1)] }), await nodeWith({ targets: [standalone(2)] })]
  const { capture, coverage } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  expect(statuses(capture)).toEqual(['running', 'running'])
  expect(coverage).toEqual({ requested: 2, accepted: 2, missing: [] })
  expect(capture).toMatchObject({ status: 'running', policyRevision: 1, policyLevel: 'full', durationLimitMs: 30_000 })
  expect(Date.parse(capture.expiresAt!) - Date.parse(capture.createdAt)).toBe(30 * DAY_MS + 30_000)

  const chunks = [['a', 'b'], ['c']]
  const id = capture.id
  for (const segment of capture.segments) {
    const node = segment.nodeId === one.nodeId ? one : two
    const upload = await node.upload(
      id,
      segment.segmentNo,
      chunks.map((lines, seq) => ({ seq, lines })),
    )
    expect(upload.results.map((result) => result.outcome)).toEqual(['stored', 'stored'])
    const answer = await finish(node, { captureId: id, segmentNo: segment.segmentNo }, chunks)
    expect(answer).toEqual({ storage: 'complete', missing: [] })
  }
  const ended = await rpc.captures.get.query({ id })
  expect(ended).toMatchObject({ status: 'completed', lineCount: 6, byteCount: 12, terminationReason: 'duration_cap' })
  expect(ended.durationMs).toBe(Date.parse(ended.endedAt!) - Date.parse(ended.startedAt!))
  const listed = await rpc.captures.list.query({ sessionId })
  expect(listed.captures.map((each) => each.id)).toEqual([id])
})

test('a target is captured once: of 8 starts at once on two replicas exactly one wins, the rest name the holder', async ({
  nodeWith,
  server,
  databaseUrl,
  owner,
  rpc,
  sessionId,
}) => {
  await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
  const node = await nodeWith({ targets: [standalone(1)] })
  const scope = { kind: 'targets', targetIds: node.targetIds }
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      call(index % 2 ? server.url : second.url, owner.token, 'captures.start', { sessionId, scope }),
    ),
  )
  const won = answers.filter((answer) => answer.status === 200)
  expect(won).toHaveLength(1)
  const { capture } = won[0]!.data as CaptureStartResult
  for (const answer of answers.filter((each) => each.status !== 200)) {
    expect(answer.status).toBe(409)
    expect(answer.error).toMatchObject({
      code: 'capture.target_busy',
      message: `Capture ${capture.id} holds 192.0.2.1:1. Stop it, or wait for its end.`,
      details: { targets: [{ targetId: node.targetIds[0], heldBy: capture.id }] },
    })
  }
  const targets = await rpc.targets.list.query({ sessionId })
  expect(targets.targets.map((target) => target.heldBy)).toEqual([capture.id])

  // A target is free as soon as reading has ended, while the rest is still being shipped.
  const { nodeId, epoch } = node
  const end = { outcome: 'completed', reason: 'duration_cap', detail: null } as const
  await node.rpc.segments.report.mutate({
    nodeId,
    epoch,
    segments: [
      { captureId: capture.id, segmentNo: 0, sliceNo: 0, halfUsed: false, counters: counted(0), lagMs: null, end },
    ],
  })
  const again = await call(server.url, owner.token, 'captures.start', { sessionId, scope })
  expect(again.status).toBe(200)
})

test('one server that refuses MONITOR fails its own segment only', async ({ nodeWith, rpc, sessionId }) => {
  const good = await nodeWith({ targets: [standalone(1)] })
  await nodeWith({ targets: [standalone(2)], answer: refuseOpen })
  const { capture, coverage } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const failed = capture.segments.find((segment) => segment.nodeId !== good.nodeId)!
  const running = capture.segments.find((segment) => segment.nodeId === good.nodeId)!
  expect(running.status).toBe('running')
  expect(failed).toMatchObject({ status: 'failed', terminationReason: 'monitor_open_failed' })
  expect(coverage).toMatchObject({ requested: 2, accepted: 1, missing: [{ reason: 'monitor_open_failed' }] })
  await finish(good, { captureId: capture.id, segmentNo: running.segmentNo })
  expect(await rpc.captures.get.query({ id: capture.id })).toMatchObject({
    status: 'partial',
    terminationReason: 'monitor_open_failed',
    terminationDetail: expect.stringContaining('duration_cap 1'),
  })
})

test("when no server can be opened the caller gets the server's words and no target stays held", async ({
  nodeWith,
  server,
  owner,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)], answer: refuseOpen })
  const scope = { kind: 'targets', targetIds: node.targetIds }
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope })
  expect(answer.status).toBe(502)
  expect(answer.error).toMatchObject({
    code: 'capture.monitor_open_failed',
    message: expect.stringContaining('NOPERM'),
  })
  const { targets } = await rpc.targets.list.query({ sessionId })
  expect(targets.map((target) => target.heldBy)).toEqual([null])
  const { captures } = await rpc.captures.list.query({ sessionId })
  expect(captures).toMatchObject([{ status: 'failed', terminationReason: 'monitor_open_failed' }])
})

test('require all: one refusal takes back the others, which keep nothing', async ({
  nodeWith,
  server,
  owner,
  rpc,
  sessionId,
}) => {
  const good = await nodeWith({ targets: [standalone(1)] })
  await nodeWith({ targets: [standalone(2)], answer: refuseOpen })
  const scope = { kind: 'primaries' }
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope, require: 'all' })
  expect(answer.status).toBe(503)
  expect(answer.error?.code).toBe('fanout.quorum_not_met')
  await poll(() => good.commands.some(({ body }) => body.kind === 'segment.discard'), { what: 'the discard' })
  expect(good.commands.map(({ body }) => body.kind)).toEqual(['segment.open', 'segment.discard'])
  const { captures } = await rpc.captures.list.query({ sessionId })
  expect(captures).toMatchObject([{ status: 'failed', lineCount: 0 }])
  const { segments } = await rpc.captures.get.query({ id: captures[0]!.id })
  expect(segments).toMatchObject([{ storage: 'none' }, { storage: 'none' }])
})

test('a plan that cannot meet the requirement is refused before anything is stored', async ({
  nodeWith,
  server,
  owner,
  rpc,
  sessionId,
}) => {
  await nodeWith({ targets: [standalone(1), standalone(2, { reachable: false, health: 'unhealthy' })] })
  const { targets } = await rpc.targets.list.query({ sessionId })
  const scope = { kind: 'targets', targetIds: targets.map((target) => target.id) }
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope, require: 'all' })
  expect(answer.error).toMatchObject({
    code: 'fanout.quorum_not_met',
    details: { accepted: 1, planned: 2, missing: [{ port: 2, reason: 'target_unhealthy' }] },
  })
  const tooMany = await call(server.url, owner.token, 'captures.start', { sessionId, scope, require: 99 })
  expect(tooMany.error).toMatchObject({
    code: 'request.invalid',
    message: 'require: 99 targets are required, and the scope has 2. Nothing was started.',
    details: { issues: [{ path: 'require', message: 'must be at most 2' }] },
  })
  expect((await rpc.captures.list.query({ sessionId })).captures).toEqual([])
})

test('a cluster is captured with a row for every slot owner, also for one that nobody reaches', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const member = (port: number, fields = {}) =>
    standalone(port, { clusterNodeId: `member-${sessionId}-${port}`, cluster: 0, slots: [[port, port]], ...fields })
  const replica = member(4, { role: 'replica', slots: [] })
  const one = await nodeWith({
    clusters: [{ ok: true }],
    targets: [
      member(1),
      member(2, { reachable: false }),
      member(3, { reachable: false, health: 'unhealthy' }),
      replica,
    ],
  })
  const two = await nodeWith({
    clusters: [{ ok: true }],
    targets: [member(1, { reachable: false }), member(2), member(3, { reachable: false, health: 'unhealthy' })],
  })
  const { clusters, targets } = await rpc.targets.list.query({ sessionId })
  expect(clusters).toHaveLength(1)
  expect(targets).toHaveLength(4)
  const scope = { kind: 'cluster', clusterId: clusters[0]!.id } as const
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope })
  const byPort = Object.fromEntries(capture.segments.map((segment) => [segment.targetPort, segment]))
  expect(byPort).toMatchObject({
    1: { status: 'running', nodeId: one.nodeId },
    2: { status: 'running', nodeId: two.nodeId },
    3: { status: 'skipped', storage: 'none', terminationReason: 'target_unhealthy' },
  })
  expect(Object.keys(byPort)).toEqual(['1', '2', '3'])
})

test('all primaries leaves out a cluster that no node reaches any more', async ({ nodeWith, rpc, sessionId }) => {
  const member = (name: string, port: number) =>
    standalone(port, { clusterNodeId: `${name}-${sessionId}`, cluster: 0, slots: [[port, port]], runId: `${name}-run` })
  const node = await nodeWith({ clusters: [{ ok: true }], targets: [member('past', 1)] })
  const { nodeId, epoch } = node
  const targets = [member('present', 2)]
  await node.rpc.targets.declare.mutate({ nodeId, epoch, clusters: [{ ok: true }], targets })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  expect(capture.segments.map((segment) => segment.targetPort)).toEqual([2])
})

test('a cluster whose discovery failed is an error, never a smaller capture', async ({
  nodeWith,
  server,
  owner,
  sessionId,
}) => {
  const member = standalone(1, { clusterNodeId: `lone-${sessionId}`, cluster: 0, slots: [[0, 5]] })
  await nodeWith({ clusters: [{ ok: false, error: 'LOADING' }], targets: [member] })
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope: { kind: 'primaries' } })
  expect(answer.status).toBe(503)
  expect(answer.error?.code).toBe('capture.discovery_failed')
})

test('a node that never answers does not hold up the start beyond the barrier, and joins when it opens', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  let opened: (() => void) | undefined
  await nodeWith({ targets: [standalone(1)] })
  const late = await nodeWith({
    targets: [standalone(2)],
    answer: (command) => {
      const { commandId, body } = command
      if (body.kind !== 'segment.open') return { kind: 'running' }
      const { nodeId, epoch } = late
      opened = () => void late.rpc.runtimeNode.answer.mutate({ nodeId, epoch, commandId, result: openedBy(body) })
      return undefined
    },
  })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  expect(statuses(capture).toSorted()).toEqual(['pending', 'running'])
  opened!()
  await poll(
    async () => statuses(await rpc.captures.get.query({ id: capture.id })).every((each) => each === 'running'),
    {
      what: 'the late segment to run',
    },
  )
})

test('stop ends every segment with manual_stop, and stopping again answers the final row', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const stopping = rpc.captures.stop.mutate({ id: capture.id })
  await poll(() => node.commands.some(({ body }) => body.kind === 'segment.stop'), { what: 'the stop' })
  const { nodeId, epoch } = node
  const segment = { captureId: capture.id, segmentNo: 0 }
  const end = { outcome: 'completed', reason: 'manual_stop', detail: null } as const
  await node.rpc.segments.report.mutate({
    nodeId,
    epoch,
    segments: [{ ...segment, sliceNo: 0, halfUsed: false, counters: counted(0), lagMs: null, end }],
  })
  const manifest = { chunks: 0, lines: 0, bytes: 0, root: NOTHING }
  await node.rpc.segments.manifest.mutate({ nodeId, epoch, ...segment, manifest })
  expect(await stopping).toMatchObject({ status: 'completed', terminationReason: 'manual_stop' })
  expect(await rpc.captures.stop.mutate({ id: capture.id })).toMatchObject({ status: 'completed' })
  expect(node.commands.filter(({ body }) => body.kind === 'segment.stop')).toHaveLength(1)
})

test('archiving a session stops its running captures, whose lines are kept, and lets no other begin', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const segment = { captureId: capture.id, segmentNo: 0 }
  await rpc.sessions.archive.mutate({ sessionId })
  await poll(() => node.commands.some(({ body }) => body.kind === 'segment.stop'), { what: 'the stop' })
  const chunks = [['a', 'b']]
  const upload = await node.upload(capture.id, 0, [{ seq: 0, lines: chunks[0]! }])
  expect(upload.results).toMatchObject([{ outcome: 'stored' }])
  await finish(node, segment, chunks, { outcome: 'completed', reason: 'manual_stop' })
  const ended = await rpc.captures.get.query({ id: capture.id })
  expect(ended).toMatchObject({ status: 'completed', terminationReason: 'manual_stop', lineCount: 2 })
  expect(ended.stopRequestedAt).not.toBeNull()
  await expect(rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })).rejects.toThrow(
    'no longer takes work',
  )
})

test('stop answers within its bound when the node does not, and says that the stop is under way', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  await nodeWith({ targets: [standalone(1)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const stopped = await rpc.captures.stop.mutate({ id: capture.id, waitMs: 200 })
  expect(stopped.status).toBe('running')
  expect(stopped.stopRequestedAt).not.toBeNull()
})

test('a node that falls silent loses its segments; the others go on, and its late end changes nothing', async ({
  nodeWith,
  database,
  rpc,
  sessionId,
}) => {
  const silent = await nodeWith({ targets: [standalone(1)] })
  const healthy = await nodeWith({ targets: [standalone(2)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const of = (node: WireNode) => capture.segments.find((segment) => segment.nodeId === node.nodeId)!.segmentNo
  await silent.upload(capture.id, of(silent), [{ seq: 0, lines: ['kept'] }])
  await sql`update service_state set ready_at = now() - interval '1 hour'`.execute(database.db)
  await database.db
    .updateTable('runtime_node_presence')
    .set({ last_heartbeat_at: sql`now() - interval '61 seconds'`, health_state: 'offline' })
    .where('node_id', '=', silent.nodeId)
    .execute()
  const lost = await poll(
    async () => {
      const { segments } = await rpc.captures.get.query({ id: capture.id })
      return segments.find((segment) => segment.status === 'lost')
    },
    { what: 'the lost segment' },
  )
  expect(lost).toMatchObject({
    segmentNo: of(silent),
    terminationReason: 'collector_lost',
    storage: 'incomplete',
    lineCount: 1,
  })
  await finish(silent, { captureId: capture.id, segmentNo: of(silent) }, [['kept']]).catch(() => undefined)
  await finish(healthy, { captureId: capture.id, segmentNo: of(healthy) })
  const ended = await rpc.captures.get.query({ id: capture.id })
  expect(ended.status).toBe('partial')
  expect(ended.segments[of(silent)]!.status).toBe('lost')
})

test('an `opened` that comes after the segment was sealed does not revive it: the node is told to drop it', async ({
  nodeWith,
  database,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)], answer: () => undefined })
  const starting = rpc.captures.start
    .mutate({ sessionId, scope: { kind: 'primaries' } })
    .catch((error: unknown) => error)
  const open = await poll(() => node.commands[0], { what: 'the open command' })
  await database.db.updateTable('capture_segments').set({ status: 'lost' }).where('node_id', '=', node.nodeId).execute()
  const { nodeId, epoch } = node
  const result = openedBy(open.body)
  await node.rpc.runtimeNode.answer.mutate({ nodeId, epoch, commandId: open.commandId, result })
  await poll(() => node.commands.some(({ body }) => body.kind === 'segment.discard'), { what: 'the discard' })
  await starting
  const { captures } = await rpc.captures.list.query({ sessionId })
  expect(captures).toMatchObject([{ status: 'failed' }])
})

test('a manifest that differs from what is stored makes the segment incomplete and names the ranges', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const segment = { captureId: capture.id, segmentNo: 0 }
  await node.upload(capture.id, 0, [
    { seq: 0, lines: ['0'] },
    { seq: 3, lines: ['3'] },
  ])
  const chunks = [['0'], ['1'], ['2'], ['3'], ['4']]
  const missing = [
    { fromSeq: 1, toSeq: 2 },
    { fromSeq: 4, toSeq: 4 },
  ]
  expect(await finish(node, segment, chunks)).toEqual({ storage: 'incomplete', missing })
  expect(await rpc.captures.get.query({ id: capture.id })).toMatchObject({
    status: 'partial',
    segments: [{ status: 'incomplete', storage: 'incomplete', missing }],
  })
})

test('chunks beyond the manifest are told, kept, and shown by no read', async ({
  nodeWith,
  server,
  owner,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const segment = { captureId: capture.id, segmentNo: 0 }
  const sent = [0, 1, 2, 9].map((seq) => ({ seq, lines: [`line ${seq}`] }))
  await node.upload(capture.id, 0, sent)
  const headers = { authorization: `Bearer ${owner.token}` }
  const exported = async () => (await fetch(`${server.url}/export/captures/${capture.id}`, { headers })).text()
  expect(await exported()).toBe('line 0\nline 1\nline 2\nline 9\n')

  const answer = await finish(node, segment, [['line 0'], ['line 1']])
  expect(answer).toEqual({ storage: 'incomplete', missing: [] })
  expect(await rpc.captures.get.query({ id: capture.id })).toMatchObject({
    status: 'partial',
    segments: [
      {
        status: 'incomplete',
        storage: 'incomplete',
        missing: [],
        chunkCount: 4,
        terminationDetail: '2 more chunks are stored than the daemon cut; they are kept and not shown',
      },
    ],
  })
  expect(await exported()).toBe('line 0\nline 1\n')
  await using stream = await openStream(server.url, owner.token, { path: 'captures.tail', input: { id: capture.id } })
  await poll(() => JSON.stringify(stream.messages).includes('history_complete'), { what: 'the end of the tail' })
  expect(JSON.stringify(stream.messages).match(/line \d/g)).toEqual(['line 0', 'line 1'])

  const { results } = await node.upload(capture.id, 0, [
    { seq: 1, lines: ['line 1'] },
    { seq: 2, lines: ['line 2'] },
    { seq: 3, lines: ['line 3'] },
  ])
  expect(results.map(({ outcome }) => outcome)).toEqual(['duplicate', 'duplicate', 'chunk.not_accepted'])
})

test('the line cap is one budget: slices are granted as they are used and never add up to more', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const nodes = [await nodeWith({ targets: [standalone(1)] }), await nodeWith({ targets: [standalone(2)] })]
  const lineCap = 30_000
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' }, lineCap })
  const granted = (node: WireNode) =>
    node.commands.flatMap(({ body }) =>
      body.kind === 'segment.open' || body.kind === 'segment.grant' ? body.slice : [],
    )
  const totalLines = () => nodes.flatMap(granted).reduce((sum, slice) => sum + slice.lines, 0)
  for (let round = 0; round < 20; round += 1) {
    for (const node of nodes) {
      const { nodeId, epoch } = node
      const { segmentNo } = capture.segments.find((segment) => segment.nodeId === nodeId)!
      const slices = granted(node)
      const lines = slices.reduce((sum, slice) => sum + slice.lines, 0)
      const report = { captureId: capture.id, segmentNo, halfUsed: true, counters: counted(lines, 10), lagMs: null }
      const before = slices.length
      await node.rpc.segments.report.mutate({
        nodeId,
        epoch,
        segments: [{ ...report, sliceNo: slices.at(-1)!.sliceNo }],
      })
      if (!slices.at(-1)!.lastLines) await poll(() => granted(node).length > before, { what: 'the next slice' })
    }
    expect(totalLines()).toBeLessThanOrEqual(lineCap)
  }
  expect(totalLines()).toBe(lineCap)
  for (const node of nodes) expect(granted(node).at(-1)!.lastLines).toBe(true)
})

test('two last segments that finish at once leave one final capture with the totals of both', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const nodes = await Promise.all([1, 2, 3, 4].map((port) => nodeWith({ targets: [standalone(port)] })))
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  await Promise.all(
    nodes.map(async (node) => {
      const { segmentNo } = capture.segments.find((segment) => segment.nodeId === node.nodeId)!
      await node.upload(capture.id, segmentNo, [{ seq: 0, lines: ['x', 'y'] }])
      await finish(node, { captureId: capture.id, segmentNo }, [['x', 'y']])
    }),
  )
  const ended = await rpc.captures.get.query({ id: capture.id })
  expect(ended).toMatchObject({ status: 'completed', lineCount: 8 })
  expect(ended.endedAt).toBe(
    ended.segments
      .map((segment) => segment.endedAt!)
      .toSorted()
      .at(-1),
  )
})

test('commands that were not answered come again on a new subscription, in order', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)], answer: () => undefined })
  const starting = rpc.captures.start
    .mutate({ sessionId, scope: { kind: 'primaries' } })
    .catch((error: unknown) => error)
  const first = await poll(() => node.commands[0], { what: 'the open command' })
  const again: DeliveredCommand[] = []
  const { nodeId, epoch } = node
  const second = node.rpc.runtimeNode.commands.subscribe({ nodeId, epoch }, { onData: (each) => again.push(each) })
  expect((await poll(() => again[0], { what: 'the open command again' })).commandId).toBe(first.commandId)
  second.unsubscribe()
  await starting
})

test('another node, an older epoch and another person cannot move a segment', async ({
  nodeWith,
  server,
  rpc,
  database,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const other = await nodeWith({ targets: [standalone(2)] })
  const { capture } = await rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'targets', targetIds: node.targetIds },
  })
  const segment = { captureId: capture.id, segmentNo: 0 }
  const manifest = { chunks: 0, lines: 0, bytes: 0, root: NOTHING }
  const foreign = other.rpc.segments.manifest.mutate({ nodeId: other.nodeId, epoch: other.epoch, ...segment, manifest })
  await expect(foreign).rejects.toThrow('no such capture')
  const stranger = await makePerson(database)
  const stop = await call(server.url, stranger.token, 'captures.stop', { id: capture.id })
  const unknown = await call(server.url, stranger.token, 'captures.stop', { id: newId() })
  expect(stop.status).toBe(404)
  expect(withoutRequestId(stop)).toBe(withoutRequestId(unknown))
  const colleague = await makePerson(database)
  await addMember(database, sessionId, { person: colleague, role: 'operator' })
  const token = await makeNodeToken(database, colleague, sessionId)
  const theirs = await nodeWith({ owner: colleague, token, targets: [] })
  expect(await theirs.upload(capture.id, 0, [{ seq: 0, lines: ['x'] }])).toMatchObject({
    results: [{ outcome: 'chunk.not_accepted' }],
  })
  expect(await rpc.captures.get.query({ id: capture.id })).toMatchObject({ status: 'running', lineCount: 0 })
})

test('a start is refused by role, by bounds, by state of the session and by an empty plan, each with its code', async ({
  server,
  database,
  owner,
  sessionId,
}) => {
  const start = (person: Person, fields: object) =>
    call(server.url, person.token, 'captures.start', { sessionId, scope: { kind: 'primaries' }, ...fields })
  const [viewer, operator, stranger] = [
    await makePerson(database),
    await makePerson(database),
    await makePerson(database),
  ]
  await addMember(database, sessionId, { person: viewer, role: 'viewer' })
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  const codeOf = async (person: Person, fields: object) => (await start(person, fields)).error?.code

  expect(await codeOf(stranger, {})).toBe('session.not_found')
  expect(await codeOf(viewer, {})).toBe('auth.role_required')
  expect(await codeOf(operator, {})).toBe('capture.plan_empty')
  expect(await codeOf(operator, { durationMs: 3_600_001 })).toBe('request.invalid')
  expect(await codeOf(owner, { durationMs: 3_600_001 })).toBe('capture.plan_empty')
  for (const durationMs of [499, -1, 0, 1.5, 3e9, 'NaN', null]) {
    expect(await codeOf(owner, { durationMs }), String(durationMs)).toBe('request.invalid')
  }
  expect(await codeOf(owner, { scope: { kind: 'targets', targetIds: [newId()] } })).toBe('target.not_found')
  expect(await codeOf(owner, { scope: { kind: 'cluster', clusterId: newId() } })).toBe('target.not_found')
  const malformed = await query(server.url, owner.token, 'captures.get', { id: 'not-an-id' })
  expect(malformed.status).toBe(400)
  await call(server.url, owner.token, 'sessions.archive', { sessionId })
  expect(await codeOf(owner, {})).toBe('session.not_active')
})
