import { manifestRoot } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import type { CaptureStartResult } from '@sonde/contracts'
import { startControlPlane } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { expireStartKeys } from '../src/captures/start-key.ts'
import { addMember, call, makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { attach, detach } from './node-support.ts'
import { agree, counted, standalone, startWireNode, type WireNode, type WireNodeOptions } from './wire-node.ts'

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

test('replicas are those of a cluster, or of the session with its standalone ones, also the unreachable', async ({
  nodeWith,
  rpc,
  sessionId,
}) => {
  const member = (port: number, cluster: number, fields = {}) =>
    standalone(port, { clusterNodeId: `member-${sessionId}-${port}`, cluster, ...fields })
  const replica = { role: 'replica', slots: [] } as const
  await nodeWith({
    clusters: [{ ok: true }, { ok: true }],
    targets: [
      member(1, 0, { slots: [[0, 9]] }),
      member(2, 0, replica),
      member(3, 0, { ...replica, reachable: false }),
      member(4, 1, { slots: [[0, 9]] }),
      member(5, 1, replica),
      standalone(6),
      standalone(7, { role: 'replica' }),
    ],
  })
  const { targets } = await rpc.targets.list.query({ sessionId })
  const clusterId = targets.find((target) => target.port === 1)!.clusterId!
  const ofCluster = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'replicas', clusterId } })
  const shown = (capture: CaptureStartResult['capture']) =>
    Object.fromEntries(capture.segments.map((each) => [each.targetPort, each.terminationReason ?? each.status]))
  expect(shown(ofCluster.capture)).toEqual({ 2: 'running', 3: 'target_unreachable' })
  expect(ofCluster.capture.scope).toEqual({ kind: 'replicas', clusterId })
  const ofSession = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'replicas' } })
  expect(shown(ofSession.capture)).toEqual({ 2: 'target_busy', 3: 'target_unreachable', 5: 'running', 7: 'running' })
})

test('each node that cannot work gives its target the reason of its own', async ({
  nodeWith,
  server,
  database,
  owner,
  rpc,
  sessionId,
}) => {
  const online = await nodeWith({ targets: [standalone(1)] })
  const cordoned = await nodeWith({ targets: [standalone(2)] })
  const stopped = await nodeWith({ targets: [standalone(3)] })
  const degraded = await nodeWith({ targets: [standalone(4)] })
  const token = await makeNodeToken(database, owner, sessionId)
  const { nodeId, epoch } = await attach({ url: server.url, owner, token }, { sessionId })
  await using undeclared = createClient({ url: server.url, token })
  const named = await undeclared.rpc.targets.declare.mutate({ nodeId, epoch, targets: [standalone(5)] })
  const readOnly = await nodeWith({ targets: [standalone(6)] })
  const reason = 'maintenance'
  await rpc.runtimeNode.cordon.mutate({ sessionId, nodeId: cordoned.nodeId, reason })
  const left = await detach({ url: server.url, owner }, { nodeId: stopped.nodeId })
  expect(left.status).toBe(200)
  const { db } = database
  await db
    .updateTable('runtime_node_presence')
    .set({ last_heartbeat_at: sql<Date>`now() - interval '40 seconds'` })
    .where('node_id', '=', degraded.nodeId)
    .execute()
  await db.updateTable('sessions').set({ min_client_version: '9.0' }).where('id', '=', sessionId).execute()
  await db
    .updateTable('runtime_node_attachments')
    .set({ client_version: '9.1' })
    .where('session_id', '=', sessionId)
    .where('node_id', '!=', readOnly.nodeId)
    .execute()
  const all = [online, cordoned, stopped, degraded, readOnly]
  const scope = { kind: 'targets' as const, targetIds: [...all.flatMap((node) => node.targetIds), ...named.targetIds] }
  const { capture, coverage } = await rpc.captures.start.mutate({ sessionId, scope })
  const byPort = capture.segments.map((each) => [each.targetPort, each.terminationReason ?? each.status])
  expect(Object.fromEntries(byPort)).toEqual({
    1: 'running',
    2: 'node_cordoned',
    3: 'node_offline',
    4: 'node_offline',
    5: 'no_capable_node',
    6: 'node_read_only',
  })
  expect(coverage).toMatchObject({ requested: 6, accepted: 1 })
})

test('of 16 starts at once with one key on two replicas one makes the capture, and all answer it', async ({
  nodeWith,
  server,
  databaseUrl,
  owner,
  rpc,
  sessionId,
}) => {
  await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
  const node = await nodeWith({ targets: [standalone(1)] })
  const input = { sessionId, scope: { kind: 'primaries' }, reason: 'once', idempotencyKey: 'nightly 1' }
  const reordered = { idempotencyKey: 'nightly 1', reason: 'once', scope: { kind: 'primaries' }, sessionId }
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, index) =>
      call(index % 2 ? server.url : second.url, owner.token, 'captures.start', index % 3 ? input : reordered),
    ),
  )
  expect(answers.map((answer) => answer.status)).toEqual(Array(16).fill(200))
  const ids = new Set(answers.map((answer) => (answer.data as CaptureStartResult).capture.id))
  expect(ids.size).toBe(1)
  expect((await rpc.captures.list.query({ sessionId })).captures.map(({ id }) => id)).toEqual([...ids])
  expect(node.commands.filter(({ body }) => body.kind === 'segment.open')).toHaveLength(1)
})

test('a key is of one caller, one session and one input; it outlives a stop and a delete, and ends after a day', async ({
  nodeWith,
  server,
  database,
  owner,
  rpc,
  sessionId,
}) => {
  const node = await nodeWith({ targets: [standalone(1)] })
  const scope = { kind: 'primaries' } as const
  const keyed = { sessionId, scope, idempotencyKey: 'k' }
  const { capture } = await rpc.captures.start.mutate(keyed)
  const other = await call(server.url, owner.token, 'captures.start', { ...keyed, durationMs: 1_000 })
  expect(other.status).toBe(409)
  const { createdAt } = capture
  expect(other.error).toMatchObject({ code: 'idempotency.key_reused', details: { firstUsedAt: createdAt } })

  const member = await makePerson(database, 'member')
  await addMember(database, sessionId, { person: member, role: 'operator' })
  const theirs = await call(server.url, member.token, 'captures.start', keyed)
  expect(theirs.error?.code).toBe('capture.target_busy')
  const elsewhere = await makeSession(database, owner)
  const empty = await call(server.url, owner.token, 'captures.start', { ...keyed, sessionId: elsewhere })
  expect(empty.error?.code).toBe('capture.plan_empty')

  await rpc.captures.stop.mutate({ id: capture.id, waitMs: 0 })
  const { nodeId, epoch } = node
  const segment = { captureId: capture.id, segmentNo: 0 }
  const end = { outcome: 'completed', reason: 'manual_stop', detail: null } as const
  const progress = { ...segment, sliceNo: 0, halfUsed: false, counters: counted(0), lagMs: null }
  await node.rpc.segments.report.mutate({ nodeId, epoch, segments: [{ ...progress, end }] })
  const manifest = { chunks: 0, lines: 0, bytes: 0, root: manifestRoot([]) }
  await node.rpc.segments.manifest.mutate({ nodeId, epoch, ...segment, manifest })
  const again = await rpc.captures.start.mutate(keyed)
  expect(again.capture).toMatchObject({ id: capture.id, status: 'completed', terminationReason: 'manual_stop' })
  await rpc.captures.delete.mutate({ id: capture.id })
  const deleted = await call(server.url, owner.token, 'captures.start', keyed)
  expect(deleted.error?.code).toBe('capture.not_found')

  await database.db
    .updateTable('idempotency_keys')
    .set({ expires_at: sql<Date>`now()` })
    .execute()
  const later = await rpc.captures.start.mutate({ ...keyed, durationMs: 1_000 })
  expect(later.capture.id).not.toBe(capture.id)
})

test('a start that came to nothing leaves its key free for the next try', async ({
  nodeWith,
  server,
  owner,
  rpc,
  sessionId,
}) => {
  let refuses = true
  await nodeWith({
    targets: [standalone(1)],
    answer: (command) =>
      refuses && command.body.kind === 'segment.open'
        ? { kind: 'refused', code: 'monitor_open_failed', detail: 'LOADING' }
        : agree(command),
  })
  const keyed = { sessionId, scope: { kind: 'primaries' }, idempotencyKey: 'k' } as const
  const failed = await call(server.url, owner.token, 'captures.start', keyed)
  expect(failed.error?.code).toBe('capture.monitor_open_failed')
  refuses = false
  const { capture } = await rpc.captures.start.mutate(keyed)
  expect(capture.status).toBe('running')
  const { captures } = await rpc.captures.list.query({ sessionId })
  expect(captures.map(({ status }) => status)).toEqual(['running', 'failed'])
})

test('a person has 10,000 keys at most, and more may be used when some have expired', async ({
  nodeWith,
  server,
  database,
  sessionId,
}) => {
  const person = await makePerson(database, 'busy')
  await addMember(database, sessionId, { person, role: 'operator' })
  await nodeWith({ targets: [standalone(1)] })
  await sql`insert into idempotency_keys
      (participant_id, session_id, procedure, key, input_sha256, result_id, expires_at)
    select ${person.participantId}, ${sessionId}, 'captures.start', 'key ' || n, '', gen_random_uuid(),
      now() + case when n = 0 then interval '0' else interval '1 hour' end
    from generate_series(0, 10000) n`.execute(database.db)
  const start = (idempotencyKey: string) =>
    call(server.url, person.token, 'captures.start', { sessionId, scope: { kind: 'primaries' }, idempotencyKey })
  expect((await start('one more')).error?.code).toBe('idempotency.too_many_keys')
  const { db } = database
  expect(await db.selectFrom('captures').select('id').where('session_id', '=', sessionId).execute()).toEqual([])
  await db
    .updateTable('idempotency_keys')
    .set({ expires_at: sql<Date>`now()` })
    .where('key', '=', 'key 1')
    .execute()
  expect((await start('one more')).status).toBe(200)

  expect(await expireStartKeys(db)).toBe(false)
  const left = await db
    .selectFrom('idempotency_keys')
    .select('key')
    .where('expires_at', '<=', sql<Date>`now()`)
    .execute()
  expect(left).toEqual([])
})
