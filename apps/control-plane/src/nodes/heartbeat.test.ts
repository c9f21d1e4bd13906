import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, update, verdictOf } from '../../test/node-support.ts'
import {
  addMember,
  bindToken,
  makeNodeToken,
  makePerson,
  makeSession,
  serverTest,
  snapshot,
} from '../../test/support.ts'

const presenceOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_presence').selectAll().where('node_id', '=', nodeId).executeTakeFirstOrThrow()

const announce = async ({ db }: Database, nodeId: string, health: 'degraded' | 'offline') => {
  await db.updateTable('runtime_node_presence').set({ health_state: health }).where('node_id', '=', nodeId).execute()
}

const liveness = ({ db }: Database, nodeId: string) =>
  db
    .selectFrom('runtime_node_transitions')
    .select(['from_state', 'to_state', 'cause'])
    .where('node_id', '=', nodeId)
    .where('axis', '=', 'liveness')
    .orderBy('id')
    .execute()

serverTest('a beat answers the verdict and moves the one presence row only', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner, { floor: '1.0' })
  const { nodeId, epoch, attachmentId } = await attach({ ...server, owner }, { sessionId })
  const attached = await presenceOf(database, nodeId)
  const before = await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_transitions')
  const answer = await beat({ ...server, owner }, { nodeId, epoch, attachmentId })
  expect(answer.data).toEqual({
    state: 'registering',
    liveness: 'online',
    readOnly: false,
    epoch,
    nextHeartbeatMs: 15_000,
    creditBytes: 8 * 1024 * 1024,
  })
  const now = await presenceOf(database, nodeId)
  expect(now.last_heartbeat_at.getTime()).toBeGreaterThanOrEqual(attached.last_heartbeat_at.getTime())
  expect(now.replica_id).toMatch(/^[0-9a-f-]{36}$/)
  expect(await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_transitions')).toEqual(
    before,
  )
})

serverTest('a beat recovers degraded and offline alike, with a transition', async ({ database, server }) => {
  const owner = await makePerson(database)
  const { nodeId } = await attach({ ...server, owner }, { sessionId: await makeSession(database, owner) })
  for (const health of ['degraded', 'offline'] as const) {
    await announce(database, nodeId, health)
    expect(verdictOf(await beat({ ...server, owner }, { nodeId }))).toMatchObject({ liveness: 'online' })
    expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'online' })
    expect((await liveness(database, nodeId)).at(-1)).toEqual({
      from_state: health,
      to_state: 'online',
      cause: 'heartbeat',
    })
  }
  await beat({ ...server, owner }, { nodeId, healthState: 'degraded' })
  await beat({ ...server, owner }, { nodeId, healthState: 'degraded' })
  expect(await liveness(database, nodeId)).toHaveLength(4)
  expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'degraded', reported_health: 'degraded' })
})

serverTest('a floor that rises is told in the next beat, which is still accepted', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const { nodeId } = await attach({ ...server, owner }, { sessionId, clientVersion: '1.9' })
  expect(verdictOf(await beat({ ...server, owner }, { nodeId })).readOnly).toBe(false)
  await database.db.updateTable('sessions').set({ min_client_version: '1.10' }).where('id', '=', sessionId).execute()
  expect(verdictOf(await beat({ ...server, owner }, { nodeId }))).toMatchObject({ readOnly: true, liveness: 'online' })
})

describe('a refused beat', () => {
  serverTest('writes nothing, whatever its cause', async ({ database, server }) => {
    const owner = await makePerson(database)
    const stranger = await makePerson(database)
    const viewer = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: viewer, role: 'viewer' })
    const caller = { ...server, owner }
    const live = await attach(caller, { sessionId })
    const gone = await attach(caller, { sessionId })
    await detach(caller, { nodeId: gone.nodeId })
    const revoked = await attach(caller, { sessionId })
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'revoked' })
      .where('node_id', '=', revoked.nodeId)
      .execute()
    const otherToken = await makeNodeToken(database, owner, await makeSession(database, owner))
    await bindToken(database, otherToken, live.nodeId)
    const before = await snapshot(database, 'runtime_node_presence', 'runtime_nodes', 'runtime_node_transitions')
    const answers = [
      await beat(caller, { nodeId: newNodeId() }),
      await beat(caller, { nodeId: gone.nodeId, epoch: gone.epoch }),
      await beat(caller, { nodeId: revoked.nodeId }),
      await beat(caller, { nodeId: live.nodeId, epoch: live.epoch + 1 }),
      await beat(caller, { nodeId: live.nodeId, attachmentId: gone.attachmentId }),
      await beat({ ...server, owner: stranger }, { nodeId: live.nodeId }),
      await beat({ ...server, owner: stranger }, { nodeId: live.nodeId, epoch: 0 }),
      await beat({ ...server, owner: viewer }, { nodeId: live.nodeId }),
      await beat({ ...caller, token: otherToken }, { nodeId: live.nodeId }),
      await beat({ ...caller, token: otherToken }, { nodeId: live.nodeId, epoch: 0 }),
    ]
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
    expect(await snapshot(database, 'runtime_node_presence', 'runtime_nodes', 'runtime_node_transitions')).toEqual(
      before,
    )
    expect(
      server.logs.filter((line) => line['msg'] === 'a heartbeat was refused').map((line) => line['cause']),
    ).toEqual([
      'unknown_node',
      'not_attached',
      'not_attached',
      'mismatch',
      'mismatch',
      'not_owner',
      'not_owner',
      'not_owner',
      'mismatch',
      'mismatch',
    ])
  })

  serverTest(
    'of an owner without an active membership is the same, and the owner may still detach',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const operator = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      await addMember(database, sessionId, { person: operator, role: 'operator' })
      const caller = { ...server, owner: operator }
      const { nodeId } = await attach(caller, { sessionId })
      const change = (fields: { state?: 'suspended' | 'active'; role?: 'viewer' | 'operator' }) =>
        database.db
          .updateTable('session_memberships')
          .set(fields)
          .where('participant_id', '=', operator.participantId)
          .execute()
      for (const fields of [{ state: 'suspended' }, { state: 'active', role: 'viewer' }] as const) {
        await change(fields)
        expect((await beat(caller, { nodeId })).error?.code).toBe('runtimenode.permission_denied')
        expect((await update(caller, { nodeId })).error?.code).toBe('runtimenode.permission_denied')
      }
      await change({ role: 'operator' })
      expect((await beat(caller, { nodeId })).status).toBe(200)
      await change({ state: 'suspended' })
      expect((await detach(caller, { nodeId })).data).toBeNull()
      expect(await presenceOf(database, nodeId)).toMatchObject({ health_state: 'offline' })
    },
  )

  serverTest('of an older incarnation is fenced', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { ...server, owner }
    const { nodeId, epoch } = await attach(caller, { sessionId })
    await attach(caller, { sessionId, nodeId })
    const before = await snapshot(database, 'runtime_node_presence')
    const answer = await beat(caller, { nodeId, epoch })
    expect(answer).toMatchObject({ status: 409, error: { code: 'runtimenode.fenced', retryable: false } })
    expect(await snapshot(database, 'runtime_node_presence')).toEqual(before)
  })

  serverTest('does not affect the others of its group', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { ...server, owner }
    const nodes = await Promise.all(Array.from({ length: 45 }, () => attach(caller, { sessionId })))
    const [fencedNode = await attach(caller, { sessionId })] = nodes
    await attach(caller, { sessionId, nodeId: fencedNode.nodeId })
    await database.db
      .updateTable('runtime_node_presence')
      .set({ last_heartbeat_at: sql<Date>`now() - interval '20 seconds'` })
      .execute()
    const bad = Array.from({ length: 5 }, newNodeId)
    const answers = await Promise.all([
      ...nodes.map(({ nodeId, epoch }) => beat(caller, { nodeId, epoch })),
      ...bad.map((nodeId) => beat(caller, { nodeId, epoch: 1 })),
    ])
    expect(answers.map(({ status }) => status)).toEqual([
      ...nodes.map((node) => (node === fencedNode ? 409 : 200)),
      ...bad.map(() => 403),
    ])
    const { rows } = await sql<{ nodeId: string; fresh: boolean }>`
      select node_id as "nodeId", last_heartbeat_at > now() - interval '10 seconds' as fresh
      from runtime_node_presence where node_id = any(${nodes.map((node) => node.nodeId)})`.execute(database.db)
    const stale = rows.filter((row) => !row.fresh).map((row) => row.nodeId)
    expect(stale).toEqual([fencedNode.nodeId])
  })
})

serverTest(
  'several beats of one node at once are all accepted, and the state of others in the group is their own',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { ...server, owner }
    const one = await attach(caller, { sessionId })
    const other = await attach(caller, { sessionId })
    await goOnline(caller, other.nodeId)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => beat(caller, { nodeId: at % 2 === 0 ? one.nodeId : other.nodeId })),
    )
    expect(answers.map((answer) => verdictOf(answer).state)).toEqual(
      answers.map((_, at) => (at % 2 === 0 ? 'registering' : 'online')),
    )
    const rows = await database.db
      .selectFrom('runtime_node_presence')
      .select('node_id')
      .where('node_id', '=', one.nodeId)
      .execute()
    expect(rows).toHaveLength(1)
  },
)

serverTest('offline can never be self-reported', async ({ database, server }) => {
  const owner = await makePerson(database)
  const { nodeId } = await attach({ ...server, owner }, { sessionId: await makeSession(database, owner) })
  const before = await snapshot(database, 'runtime_node_presence')
  for (const healthState of ['offline', 'revoked', 'registering', null, 1]) {
    const answer = await beat({ ...server, owner }, { nodeId, healthState })
    expect(answer).toMatchObject({ status: 400, error: { code: 'request.invalid' } })
  }
  expect(await snapshot(database, 'runtime_node_presence')).toEqual(before)
})
