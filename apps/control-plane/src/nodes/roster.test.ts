import type { Roster, RosterNode } from '@sonde/contracts'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline } from '../../test/node-support.ts'
import { addMember, makePerson, makeSession, query, serverTest, snapshot, type Person } from '../../test/support.ts'

const read = async (server: { url: string }, person: Person, input: Record<string, unknown>): Promise<Roster> => {
  const answer = await query(server.url, person.token, 'runtimeNode.roster', input)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.data as Roster
}

const nodesOf = async (server: { url: string }, person: Person, input: Record<string, unknown>) => {
  const { nodes } = await read(server, person, input)
  return new Map<string, RosterNode>(nodes.map((node) => [node.nodeId, node]))
}

serverTest(
  'the roster shows each node with its own fields, and reading it writes nothing',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const viewer = await makePerson(database)
    const sessionId = await makeSession(database, owner, { floor: '2.0' })
    await addMember(database, sessionId, { person: viewer, role: 'viewer' })
    expect(await read(server, viewer, { sessionId })).toEqual({ nodes: [], nextCursor: null })

    const caller = { url: server.url, owner }
    const good = await attach(caller, { sessionId, clientVersion: '2.1' })
    await goOnline(caller, good.nodeId)
    const old = await attach(caller, { sessionId, clientVersion: '1.9', capabilities: { vitals: { every: 5 } } })
    const left = await attach(caller, { sessionId, clientVersion: '2.0' })
    await detach(caller, { nodeId: left.nodeId })
    const tables = ['runtime_nodes', 'runtime_node_attachments', 'runtime_node_presence', 'sessions'] as const
    const before = await snapshot(database, ...tables)
    const nodes = await nodesOf(server, viewer, { sessionId })
    expect(await snapshot(database, ...tables)).toEqual(before)
    expect([...nodes.keys()]).toEqual([good.nodeId, old.nodeId, left.nodeId])
    expect(nodes.get(good.nodeId)).toMatchObject({
      participantId: owner.participantId,
      attachmentId: good.attachmentId,
      state: 'online',
      healthState: 'online',
      liveness: 'online',
      readOnly: false,
      versionMalformed: false,
      capabilities: { monitor: {} },
      epoch: 1,
      endedAt: null,
      access: 'ok',
      schedulable: true,
      blockers: [],
    })
    expect(nodes.get(old.nodeId)).toMatchObject({
      state: 'registering',
      readOnly: true,
      clientVersion: '1.9',
      capabilities: { vitals: { every: 5 } },
      schedulable: false,
      blockers: ['not_online', 'read_only', 'not_declared'],
    })
    expect(nodes.get(left.nodeId)).toMatchObject({ state: 'offline', healthState: 'offline', liveness: 'offline' })
    expect(nodes.get(left.nodeId)?.lastHeartbeatAt).not.toBeNull()
  },
)

serverTest(
  'the stored verdict and the derived one stand side by side, in either disagreement',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const [silent, back, unknown] = [
      await attach(caller, { sessionId }),
      await attach(caller, { sessionId }),
      await attach(caller, { sessionId }),
    ]
    await database.db
      .updateTable('runtime_node_presence')
      .set({ last_heartbeat_at: sql<Date>`now() - interval '10 minutes'` })
      .where('node_id', '=', silent.nodeId)
      .execute()
    await database.db
      .updateTable('runtime_node_presence')
      .set({ health_state: 'offline' })
      .where('node_id', '=', back.nodeId)
      .execute()
    await database.db.deleteFrom('runtime_node_presence').where('node_id', '=', unknown.nodeId).execute()
    const nodes = await nodesOf(server, owner, { sessionId })
    expect(nodes.get(silent.nodeId)).toMatchObject({ healthState: 'online', liveness: 'offline' })
    expect(nodes.get(silent.nodeId)?.blockers).toContain('stale')
    expect(nodes.get(back.nodeId)).toMatchObject({ healthState: 'offline', liveness: 'online' })
    expect(nodes.get(unknown.nodeId)).toMatchObject({ healthState: null, liveness: null, lastHeartbeatAt: null })
  },
)

serverTest(
  'a node that moved on shows its frozen beat in the first session, not its live one',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId: a })
    await detach(caller, { nodeId })
    const left = (await nodesOf(server, owner, { sessionId: a })).get(nodeId)
    await attach(caller, { sessionId: b, nodeId })
    await beat(caller, { nodeId })
    const seen = (await nodesOf(server, owner, { sessionId: a })).get(nodeId)
    expect(seen).toMatchObject({ state: 'offline', healthState: null, liveness: 'offline' })
    expect(seen?.lastHeartbeatAt).toBe(left?.lastHeartbeatAt)
    expect((await nodesOf(server, owner, { sessionId: b })).get(nodeId)).toMatchObject({ liveness: 'online' })
  },
)

serverTest(
  'ended slots leave the default view after an hour and stay with includeEnded',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await detach(caller, { nodeId })
    expect((await nodesOf(server, owner, { sessionId })).has(nodeId)).toBe(true)
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ ended_at: sql<Date>`now() - interval '61 minutes'` })
      .where('node_id', '=', nodeId)
      .execute()
    expect((await nodesOf(server, owner, { sessionId })).size).toBe(0)
    expect((await nodesOf(server, owner, { sessionId, includeEnded: true })).has(nodeId)).toBe(true)
  },
)

serverTest(
  'pages follow each other without gap or repeat, and a foreign cursor is refused',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    for (let at = 0; at < 7; at += 1) await attach(caller, { sessionId })
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ attached_at: sql<Date>`'2026-01-01 00:00:00.123456+00'` })
      .where('session_id', '=', sessionId)
      .execute()
    const whole = (await read(server, owner, { sessionId })).nodes.map((node) => node.nodeId)
    expect(whole).toHaveLength(7)
    const paged: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const page: Roster = await read(server, owner, { sessionId, limit: 3, ...(cursor !== null && { cursor }) })
      paged.push(...page.nodes.map((node) => node.nodeId))
      cursor = page.nextCursor
      pages += 1
    } while (cursor !== null)
    expect(paged).toEqual(whole)
    expect(pages).toBe(3)
    for (const bad of ['x', '1.2', `1.${'z'.repeat(36)}`, '']) {
      const answer = await query(server.url, owner.token, 'runtimeNode.roster', { sessionId, cursor: bad })
      expect(answer, bad).toMatchObject({ status: 400, error: { code: 'request.invalid' } })
    }
  },
)

serverTest('a node of a suspended owner is shown with its blocker', async ({ database, server }) => {
  const owner = await makePerson(database)
  const operator = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  const { nodeId } = await attach({ url: server.url, owner: operator }, { sessionId })
  await goOnline({ url: server.url, owner: operator }, nodeId)
  await database.db
    .updateTable('session_memberships')
    .set({ state: 'suspended' })
    .where('participant_id', '=', operator.participantId)
    .execute()
  expect((await nodesOf(server, owner, { sessionId })).get(nodeId)).toMatchObject({
    access: 'owner_inactive',
    schedulable: false,
    blockers: ['owner_inactive'],
  })
  const answer = await query(server.url, operator.token, 'runtimeNode.roster', { sessionId })
  expect(answer.error?.code).toBe('runtimenode.permission_denied')
})

serverTest(
  'a malformed stored version is quarantined, and the other rows are complete',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const [bad, good] = [await attach(caller, { sessionId }), await attach(caller, { sessionId })]
    await sql`alter table runtime_node_attachments drop constraint runtime_node_attachments_client_version_check`.execute(
      database.db,
    )
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ client_version: '1.0.0-beta' })
      .where('node_id', '=', bad.nodeId)
      .execute()
    const nodes = await nodesOf(server, owner, { sessionId })
    expect(nodes.get(bad.nodeId)).toMatchObject({ readOnly: true, versionMalformed: true, clientVersion: '1.0.0-beta' })
    expect(nodes.get(good.nodeId)).toMatchObject({ readOnly: false, versionMalformed: false, liveness: 'online' })
    const beaten = await beat(caller, { nodeId: bad.nodeId })
    expect(beaten).toMatchObject({ status: 200, data: { readOnly: true } })
  },
)
