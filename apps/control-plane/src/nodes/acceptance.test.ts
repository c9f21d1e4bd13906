import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { describe, expect, onTestFinished } from 'vitest'
import { attach, beat, detach, goOnline, tryAttach, update, verdictOf } from '../../test/node-support.ts'
import { sweepOnce, waitForLock } from '../../test/presence-support.ts'
import { addMember, makePerson, makeSession, serverTest, snapshot } from '../../test/support.ts'

const attachmentsOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_attachments').selectAll().where('node_id', '=', nodeId).orderBy('attached_at').execute()

const presenceOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_presence').selectAll().where('node_id', '=', nodeId).executeTakeFirstOrThrow()

const makeOld = async ({ db }: Database, nodeId: string, seconds: number) => {
  await db
    .updateTable('runtime_node_presence')
    .set({ last_heartbeat_at: sql<Date>`now() - ${seconds} * interval '1 second'` })
    .where('node_id', '=', nodeId)
    .execute()
}

const sweep = async (database: Database) => (await sweepOnce(database)).transitions

describe('attach', () => {
  serverTest('P1: a session without a floor admits any version', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const capabilities = { monitor: { dialects: ['bracket', 'paren'], most: 8, deep: { on: true, none: null } } }
    const attached = await attach({ ...server, owner }, { sessionId, clientVersion: '0.1', capabilities })
    expect(attached).toMatchObject({ state: 'registering', readOnly: false, epoch: 1, nextHeartbeatMs: 15_000 })
    const rows = await attachmentsOf(database, attached.nodeId)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      id: attached.attachmentId,
      session_id: sessionId,
      participant_id: owner.participantId,
      state: 'registering',
      capabilities,
      client_version: '0.1',
    })
  })

  serverTest('P2: a version at or above the floor may write', async ({ database, server }) => {
    const owner = await makePerson(database)
    const cases = [
      ['2.0', '2.0'],
      ['2.0', '2.5'],
      ['1.9', '2.0'],
      ['2.0', '10.0'],
    ] as const
    for (const [floor, clientVersion] of cases) {
      const sessionId = await makeSession(database, owner, { floor })
      const attached = await attach({ ...server, owner }, { sessionId, clientVersion })
      expect(attached, `${clientVersion} under ${floor}`).toMatchObject({ state: 'registering', readOnly: false })
    }
  })

  serverTest('P3: a version below the floor is admitted read-only', async ({ database, server }) => {
    const owner = await makePerson(database)
    const cases = [
      ['2.0', '1.0'],
      ['1.10', '1.9'],
    ] as const
    for (const [floor, clientVersion] of cases) {
      const sessionId = await makeSession(database, owner, { floor })
      const attached = await attach({ ...server, owner }, { sessionId, clientVersion })
      expect(attached, `${clientVersion} under ${floor}`).toMatchObject({ state: 'registering', readOnly: true })
      expect(await attachmentsOf(database, attached.nodeId)).toHaveLength(1)
    }
  })

  serverTest('P5: two nodes are active in one session', async ({ database, server }) => {
    const owner = await makePerson(database)
    const operator = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: operator, role: 'operator' })
    const before = await snapshot(database, 'sessions', 'session_memberships')
    const one = await attach({ ...server, owner }, { sessionId })
    const other = await attach({ ...server, owner: operator }, { sessionId })
    const active = await database.db
      .selectFrom('runtime_node_attachments')
      .select('node_id')
      .where('session_id', '=', sessionId)
      .where('state', 'in', ['registering', 'online', 'degraded'])
      .execute()
    expect(active.map((row) => row.node_id).toSorted()).toEqual([one.nodeId, other.nodeId].toSorted())
    expect(await snapshot(database, 'sessions', 'session_memberships')).toEqual(before)
  })

  serverTest('P7: the membership of the owner stays as it was', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const before = await snapshot(database, 'session_memberships', 'sessions', 'participants')
    await attach({ ...server, owner }, { sessionId })
    const after = await snapshot(database, 'session_memberships', 'sessions', 'participants')
    expect(after['session_memberships']?.length).toBe(before['session_memberships']?.length)
    expect(after).toEqual(before)
  })

  serverTest('P9: a node that is active in one session is refused in another', async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const { nodeId } = await attach({ ...server, owner }, { sessionId: b })
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_node_presence', 'runtime_nodes')
    const answer = await tryAttach({ ...server, owner }, { sessionId: a, nodeId })
    expect(answer.status).toBe(409)
    expect(answer.error).toMatchObject({
      code: 'runtimenode.attach_conflict',
      retryable: true,
      details: { reason: 'active_elsewhere', retryable: true },
    })
    expect(answer.error?.message).toContain(nodeId)
    expect(answer.text).not.toContain(b)
    const now = await snapshot(database, 'runtime_node_attachments', 'runtime_node_presence', 'runtime_nodes')
    expect(now).toEqual(before)
  })

  serverTest('P9b: a node that is offline in a session comes back to the same slot', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const first = await attach({ ...server, owner }, { sessionId })
    const { nodeId } = first
    await detach({ ...server, owner }, { nodeId, reason: 'update' })
    const again = await attach({ ...server, owner }, { sessionId, nodeId, clientVersion: '1.1' })
    expect(again).toMatchObject({ attachmentId: first.attachmentId, state: 'registering', epoch: first.epoch + 1 })
    expect(again.attachedAt).toBe(first.attachedAt)
    const rows = await attachmentsOf(database, nodeId)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ client_version: '1.1', ended_at: null, end_reason: null, final_heartbeat_at: null })
  })

  serverTest('P9c: a node that is offline here and active elsewhere is refused', async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const { nodeId } = await attach({ ...server, owner }, { sessionId: a })
    await detach({ ...server, owner }, { nodeId })
    await attach({ ...server, owner }, { sessionId: b, nodeId })
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_node_presence')
    const answer = await tryAttach({ ...server, owner }, { sessionId: a, nodeId })
    expect(answer.status).toBe(409)
    expect(answer.error?.code).toBe('runtimenode.attach_conflict')
    const rows = await attachmentsOf(database, nodeId)
    expect(rows.map((row) => [row.session_id, row.state])).toEqual([
      [a, 'offline'],
      [b, 'registering'],
    ])
    expect(await snapshot(database, 'runtime_node_attachments', 'runtime_node_presence')).toEqual(before)
  })

  serverTest('P9c: the index answers the same when the read came too early', async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const { nodeId } = await attach({ ...server, owner }, { sessionId: b })
    await detach({ ...server, owner }, { nodeId })
    await attach({ ...server, owner }, { sessionId: a, nodeId })
    await detach({ ...server, owner }, { nodeId })
    // A second writer that does not take the node's lock: it is invisible to the read and holds the index.
    const committed = Promise.withResolvers<void>()
    onTestFinished(() => committed.resolve())
    const written = Promise.withResolvers<void>()
    const rival = database.db.transaction().execute(async (trx) => {
      await trx
        .updateTable('runtime_node_attachments')
        .set({ state: 'registering' })
        .where('node_id', '=', nodeId)
        .where('session_id', '=', b)
        .execute()
      written.resolve()
      await committed.promise
    })
    await written.promise
    const answering = tryAttach({ ...server, owner }, { sessionId: a, nodeId })
    await waitForLock(database)
    committed.resolve()
    await rival
    const answer = await answering
    expect(answer.status).toBe(409)
    expect(answer.error?.code).toBe('runtimenode.attach_conflict')
    const rows = await attachmentsOf(database, nodeId)
    expect(Object.fromEntries(rows.map((row) => [row.session_id, row.state]))).toEqual({
      [a]: 'offline',
      [b]: 'registering',
    })
  })

  serverTest('P10: a revoked node is refused for good', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const { nodeId } = await attach({ ...server, owner }, { sessionId })
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'revoked', ended_at: sql<Date>`now()` })
      .where('node_id', '=', nodeId)
      .execute()
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_presence')
    const answer = await tryAttach({ ...server, owner }, { sessionId, nodeId })
    expect(answer.status).toBe(409)
    expect(answer.error).toMatchObject({ code: 'runtimenode.attach_revoked', retryable: false })
    expect(await attachmentsOf(database, nodeId)).toMatchObject([{ state: 'revoked' }])
    const now = await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_presence')
    expect(now).toEqual(before)
    await detach({ ...server, owner }, { nodeId })
    expect(await attachmentsOf(database, nodeId)).toMatchObject([{ state: 'revoked' }])
  })
})

serverTest(
  'P4: a node below the floor may not update its capabilities and stays joined',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner, { floor: '2.0' })
    const capabilities = { monitor: { from: 'attach' } }
    const { nodeId } = await attach({ ...server, owner }, { sessionId, clientVersion: '1.9', capabilities })
    const before = await snapshot(
      database,
      'runtime_node_attachments',
      'runtime_node_presence',
      'runtime_node_transitions',
    )
    const answer = await update({ ...server, owner }, { nodeId, capabilities: { vitals: {} } })
    expect(answer.status).toBe(409)
    expect(answer.error).toMatchObject({
      code: 'version.floor_exceeded',
      retryable: false,
      details: { clientVersion: '1.9', minClientVersion: '2.0' },
    })
    const after = await snapshot(
      database,
      'runtime_node_attachments',
      'runtime_node_presence',
      'runtime_node_transitions',
    )
    expect(after).toEqual(before)
    expect(await attachmentsOf(database, nodeId)).toMatchObject([{ state: 'registering', capabilities }])
    expect(verdictOf(await beat({ ...server, owner }, { nodeId }))).toMatchObject({
      readOnly: true,
      liveness: 'online',
    })
  },
)

serverTest('P6: a silent node is announced degraded, then offline', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const { nodeId } = await attach({ ...server, owner }, { sessionId })
  await goOnline({ ...server, owner }, nodeId)
  await beat({ ...server, owner }, { nodeId })
  const others = ['runtime_node_attachments', 'runtime_nodes', 'sessions', 'session_memberships'] as const
  const before = await snapshot(database, ...others)

  await makeOld(database, nodeId, 45)
  expect(await sweep(database)).toEqual([{ nodeId, healthState: 'degraded' }])
  expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'degraded', reported_health: 'online' })
  expect(await sweep(database)).toEqual([])

  await makeOld(database, nodeId, 90)
  expect(await sweep(database)).toEqual([{ nodeId, healthState: 'offline' }])
  expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'offline', reported_health: 'online' })
  expect(await sweep(database)).toEqual([])

  expect(await snapshot(database, ...others)).toEqual(before)
  const told = await database.db
    .selectFrom('runtime_node_transitions')
    .select(['axis', 'from_state', 'to_state'])
    .where('node_id', '=', nodeId)
    .where('cause', '=', 'sweep')
    .orderBy('id')
    .execute()
  expect(told).toEqual([
    { axis: 'liveness', from_state: 'online', to_state: 'degraded' },
    { axis: 'liveness', from_state: 'degraded', to_state: 'offline' },
  ])
})

serverTest('P8: a detach ends slot and presence at once and leaves the rest', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const { nodeId } = await attach({ ...server, owner }, { sessionId })
  const others = ['session_memberships', 'sessions', 'runtime_nodes'] as const
  const before = await snapshot(database, ...others)
  const last = (await presenceOf(database, nodeId)).last_heartbeat_at
  const answer = await detach({ ...server, owner }, { nodeId, reason: 'host goes down' })
  expect(answer.status).toBe(200)
  expect(answer.text).toBe('{"result":{"data":null}}')
  expect(await attachmentsOf(database, nodeId)).toMatchObject([
    { state: 'offline', end_reason: 'host goes down', final_heartbeat_at: last },
  ])
  expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'offline', last_heartbeat_at: last })
  expect(await snapshot(database, ...others)).toEqual(before)
  const twice = await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')
  expect((await detach({ ...server, owner }, { nodeId })).text).toBe('{"result":{"data":null}}')
  expect(await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')).toEqual(twice)
})
