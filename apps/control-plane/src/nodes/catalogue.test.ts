import { compareVersions, type AttachResult, type RosterNode } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update, verdictOf } from '../../test/node-support.ts'
import { act, shownTo } from '../../test/scheduling-support.ts'
import { addMember, makePerson, makeSession, query, serverTest, snapshot } from '../../test/support.ts'

const TABLES = [
  'runtime_nodes',
  'runtime_node_attachments',
  'runtime_node_presence',
  'runtime_node_transitions',
] as const

const slotOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_attachments').selectAll().where('node_id', '=', nodeId).executeTakeFirstOrThrow()

describe('attach', () => {
  for (const ended of [true, false]) {
    serverTest(
      `of another's node that is ${ended ? 'offline' : 'active'} is the uniform negative, and changes nothing`,
      async ({ database, server }) => {
        const owner = await makePerson(database)
        const other = await makePerson(database)
        const sessionId = await makeSession(database, owner)
        await addMember(database, sessionId, { person: other, role: 'owner' })
        const { nodeId } = await attach({ url: server.url, owner }, { sessionId })
        if (ended) await detach({ url: server.url, owner }, { nodeId })
        const before = await snapshot(database, ...TABLES)
        for (const where of [sessionId, await makeSession(database, other)]) {
          const answer = await tryAttach({ url: server.url, owner: other }, { sessionId: where, nodeId })
          expect(answer).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
          expect(answer.text).not.toContain(owner.participantId)
          expect(answer.text).not.toMatch(/session [0-9a-f]|another session/)
        }
        expect(await snapshot(database, ...TABLES)).toEqual(before)
      },
    )
  }

  serverTest(
    'to a session that takes no work is told to members, and is the uniform negative to others',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const stranger = await makePerson(database)
      const before = await snapshot(database, ...TABLES)
      for (const state of ['archived', 'closed', 'purge_requested', 'purged'] as const) {
        const sessionId = await makeSession(database, owner, { state })
        const told = await tryAttach({ url: server.url, owner }, { sessionId, nodeId: newNodeId() })
        expect(told, state).toMatchObject({
          status: 409,
          error: { code: 'session.not_active', details: { sessionId } },
        })
        const hidden = await tryAttach({ url: server.url, owner: stranger }, { sessionId, nodeId: newNodeId() })
        expect(hidden, state).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
      }
      expect(await snapshot(database, ...TABLES)).toEqual(before)
      const sessionId = await makeSession(database, owner, { state: 'provisioning' })
      expect((await tryAttach({ url: server.url, owner }, { sessionId, nodeId: newNodeId() })).status).toBe(200)
    },
  )

  serverTest('keeps id, owner and first attach over detach and attach', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const first = await attach(caller, { sessionId })
    const { nodeId } = first
    for (let turn = 2; turn <= 3; turn += 1) {
      await detach(caller, { nodeId })
      const again = (await tryAttach(caller, { sessionId, nodeId })).data as AttachResult
      expect(again).toMatchObject({ attachmentId: first.attachmentId, attachedAt: first.attachedAt, epoch: turn })
    }
    const slot = await slotOf(database, nodeId)
    expect(slot.participant_id).toBe(owner.participantId)
    expect(slot.last_attached_at.getTime()).toBeGreaterThan(slot.attached_at.getTime())
  })
})

describe('detach', () => {
  serverTest('makes no presence row where there is none', async ({ database, server }) => {
    const owner = await makePerson(database)
    const { nodeId } = await attach({ url: server.url, owner }, { sessionId: await makeSession(database, owner) })
    await database.db.deleteFrom('runtime_node_presence').where('node_id', '=', nodeId).execute()
    expect((await detach({ url: server.url, owner }, { nodeId })).data).toBeNull()
    expect(await slotOf(database, nodeId)).toMatchObject({ state: 'offline', final_heartbeat_at: null })
    const rows = await database.db
      .selectFrom('runtime_node_presence')
      .selectAll()
      .where('node_id', '=', nodeId)
      .execute()
    expect(rows).toEqual([])
  })

  serverTest(
    'of an older epoch, another attachment, or a node that was never attached is null and changes nothing',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      const caller = { url: server.url, owner }
      const first = await attach(caller, { sessionId })
      const { nodeId } = first
      await attach(caller, { sessionId, nodeId })
      const before = await snapshot(database, ...TABLES)
      const calls = [
        { nodeId, epoch: first.epoch },
        { nodeId, epoch: first.epoch + 2 },
        { nodeId, attachmentId: crypto.randomUUID() },
        { nodeId: newNodeId() },
      ]
      for (const fields of calls) expect((await detach(caller, fields)).text).toBe('{"result":{"data":null}}')
      expect(await snapshot(database, ...TABLES)).toEqual(before)
    },
  )
})

describe('a capability update', () => {
  serverTest('at, above and without a floor is stored, with the time of the change', async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { url: server.url, owner }
    for (const floor of ['2.0', '1.9', undefined]) {
      const sessionId = await makeSession(database, owner, floor === undefined ? {} : { floor })
      const { nodeId, attachedAt } = await attach(caller, { sessionId, clientVersion: '2.0' })
      const members = await snapshot(database, 'session_memberships', 'sessions')
      const { data } = await update(caller, { nodeId, capabilities: { monitor: { floor: floor ?? null } } })
      const { rows } = await sql<{ agoMs: number }>`
        select extract(epoch from now() - updated_at)::float8 * 1000 as "agoMs" from runtime_node_attachments
        where node_id = ${nodeId}`.execute(database.db)
      expect(rows[0]?.agoMs).toBeLessThan(5_000)
      const slot = await slotOf(database, nodeId)
      expect(slot).toMatchObject({
        capabilities: { monitor: { floor: floor ?? null } },
        attached_at: new Date(attachedAt),
        state: 'registering',
      })
      expect(data).toMatchObject({ updatedAt: slot.updated_at.toISOString(), state: 'registering' })
      expect(await snapshot(database, 'session_memberships', 'sessions')).toEqual(members)
    }
  })

  serverTest('of health beyond online and degraded is not valid', async ({ database, server }) => {
    const owner = await makePerson(database)
    const { nodeId } = await attach({ url: server.url, owner }, { sessionId: await makeSession(database, owner) })
    const before = await snapshot(database, ...TABLES)
    for (const state of ['offline', 'revoked', 'registering', '', null]) {
      const answer = await update({ url: server.url, owner }, { nodeId, healthChanges: { state } })
      expect(answer, String(state)).toMatchObject({ status: 400, error: { code: 'request.invalid' } })
    }
    expect(await snapshot(database, ...TABLES)).toEqual(before)
  })
})

serverTest(
  'health by heartbeat and health by update are two axes: neither moves the other, and both are shown',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    const place = { url: server.url, sessionId, nodeId }
    expect(verdictOf(await beat(caller, { nodeId, healthState: 'degraded' }))).toMatchObject({
      state: 'online',
      liveness: 'degraded',
    })
    expect(await shownTo(owner, place)).toMatchObject({ state: 'online', liveness: 'degraded', blockers: ['stale'] })
    await update(caller, { nodeId, healthChanges: { state: 'degraded' } })
    expect(verdictOf(await beat(caller, { nodeId }))).toMatchObject({ state: 'degraded', liveness: 'online' })
    expect(await shownTo(owner, place)).toMatchObject({
      state: 'degraded',
      liveness: 'online',
      blockers: ['not_online'],
    })
  },
)

serverTest(
  'the roster shows all five states with includeEnded, and versions on both sides of the floor joined',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner, { floor: '2.0' })
    const caller = { url: server.url, owner }
    const made = async (clientVersion = '2.0') => (await attach(caller, { sessionId, clientVersion })).nodeId
    const registering = await made('1.9')
    const online = await made()
    await goOnline(caller, online)
    const degraded = await made()
    await update(caller, { nodeId: degraded, healthChanges: { state: 'degraded' } })
    const offline = await made()
    await detach(caller, { nodeId: offline })
    const revoked = await made()
    await act(owner, { url: server.url, sessionId, nodeId: revoked }, { procedure: 'revoke' })
    const input = { sessionId, includeEnded: true }
    const { nodes } = (await query(server.url, owner.token, 'runtimeNode.roster', input)).data as {
      nodes: RosterNode[]
    }
    expect(nodes.map(({ nodeId, state, readOnly }) => [nodeId, state, readOnly])).toEqual([
      [registering, 'registering', true],
      [online, 'online', false],
      [degraded, 'degraded', false],
      [offline, 'offline', false],
      [revoked, 'revoked', false],
    ])
    expect((await beat(caller, { nodeId: registering })).data).toMatchObject({ state: 'registering', readOnly: true })
    expect((await update(caller, { nodeId: registering })).error?.code).toBe('version.floor_exceeded')
    expect((await beat(caller, { nodeId: registering })).status).toBe(200)
  },
)

serverTest('the database orders versions as the code does', async ({ database }) => {
  const segment = fc.oneof(fc.nat(12), fc.integer({ min: 0, max: 999_999_999 }))
  const version = fc.tuple(segment, segment).map(([major, minor]) => `${major}.${minor}`)
  const pairs = fc.sample(fc.tuple(version, version), { numRuns: 300, seed: 7 })
  const { rows } = await sql<{ a: string; b: string; order: number }>`
    select a, b, case
        when (split_part(a, '.', 1)::int, split_part(a, '.', 2)::int) < (split_part(b, '.', 1)::int, split_part(b, '.', 2)::int)
          then -1
        when a = b then 0 else 1 end as "order"
    from unnest(${pairs.map(([a]) => a)}::text[], ${pairs.map(([, b]) => b)}::text[]) as v (a, b)`.execute(database.db)
  expect(rows).toHaveLength(pairs.length)
  for (const { a, b, order } of rows) expect(order, `${a} ${b}`).toBe(compareVersions(a, b))
})
