import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update, verdictOf } from '../../test/node-support.ts'
import { makePerson, makeSession, serverTest, snapshot } from '../../test/support.ts'

const slotOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_attachments').selectAll().where('node_id', '=', nodeId).executeTakeFirstOrThrow()

describe('online', () => {
  serverTest('comes only after a declaration by an earlier call', async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const { nodeId } = await attach(caller, {
      sessionId: await makeSession(database, owner),
      capabilities: { monitor: {} },
    })
    const online = { healthChanges: { state: 'online' } }
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')
    const both = await update(caller, { nodeId, ...online })
    expect(both).toMatchObject({
      status: 409,
      error: { code: 'runtimenode.capabilityupdate_conflict', details: { reason: 'not_declared' } },
    })
    expect(both.error?.message).not.toContain('registering')
    expect(await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')).toEqual(before)

    expect(await update(caller, { nodeId, capabilities: {} })).toMatchObject({
      status: 200,
      data: { state: 'registering' },
    })
    expect((await update(caller, { nodeId, capabilities: {}, ...online })).status).toBe(409)

    expect(await update(caller, { nodeId })).toMatchObject({ status: 200, data: { state: 'registering' } })
    expect(await update(caller, { nodeId, ...online })).toMatchObject({ status: 200, data: { state: 'online' } })
    expect(verdictOf(await beat(caller, { nodeId })).state).toBe('online')
  })

  serverTest(
    'is not reached over degraded without a declaration, nor by one of an earlier epoch',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const caller = { ...server, owner }
      const sessionId = await makeSession(database, owner)
      const { nodeId } = await attach(caller, { sessionId })
      const online = { healthChanges: { state: 'online' } }
      const degraded = { healthChanges: { state: 'degraded', reason: 'no monitor' } }
      expect((await update(caller, { nodeId, capabilities: {}, ...degraded })).data).toMatchObject({
        state: 'degraded',
      })
      expect((await update(caller, { nodeId, ...online })).status).toBe(409)
      await goOnline(caller, nodeId)
      await attach(caller, { sessionId, nodeId })
      expect((await update(caller, { nodeId, ...online })).status).toBe(409)
      expect((await slotOf(database, nodeId)).state).toBe('registering')
      const told = await database.db
        .selectFrom('runtime_node_transitions')
        .select(['from_state', 'to_state', 'cause', 'reason'])
        .where('node_id', '=', nodeId)
        .where('axis', '=', 'slot')
        .orderBy('id')
        .execute()
      expect(told).toEqual([
        { from_state: null, to_state: 'registering', cause: 'attach', reason: null },
        { from_state: 'registering', to_state: 'degraded', cause: 'capability_update', reason: 'no monitor' },
        { from_state: 'degraded', to_state: 'online', cause: 'capability_update', reason: null },
        { from_state: 'online', to_state: 'registering', cause: 'displace', reason: null },
      ])
    },
  )

  serverTest('without a declaration is refused by the database too', async ({ database, server }) => {
    const owner = await makePerson(database)
    const { nodeId } = await attach({ ...server, owner }, { sessionId: await makeSession(database, owner) })
    const forced = database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'online' })
      .where('node_id', '=', nodeId)
    await expect(forced.execute()).rejects.toMatchObject({ code: '23514' })
  })
})

serverTest(
  'a map is replaced whole; revisions guard it, and a replay of the applied one answers the same',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const { nodeId, attachedAt } = await attach(caller, {
      sessionId: await makeSession(database, owner),
      capabilities: { a: 1 },
    })
    const presence = await snapshot(database, 'runtime_node_presence')
    const capabilities = { b: { list: [1, 2], text: 'ä' } }
    const first = await update(caller, { nodeId, capabilities, expectedRevision: 0 })
    expect(first.data).toMatchObject({ nodeId, capabilitiesRevision: 1, state: 'registering' })
    expect(await slotOf(database, nodeId)).toMatchObject({ capabilities, attached_at: new Date(attachedAt) })
    expect((await update(caller, { nodeId, capabilities, expectedRevision: 0 })).text).toBe(first.text)
    const before = await snapshot(database, 'runtime_node_attachments')
    const stale = await update(caller, { nodeId, capabilities: { c: 1 }, expectedRevision: 0 })
    expect(stale).toMatchObject({ status: 409, error: { details: { reason: 'stale_revision' } } })
    expect(await snapshot(database, 'runtime_node_attachments')).toEqual(before)
    expect((await update(caller, { nodeId, capabilities: {} })).data).toMatchObject({ capabilitiesRevision: 2 })
    expect(await snapshot(database, 'runtime_node_presence')).toEqual(presence)
  },
)

serverTest(
  'refusals come in a fixed order: visibility, fence, floor, declaration, revision',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const stranger = await makePerson(database)
    const caller = { ...server, owner }
    const sessionId = await makeSession(database, owner, { floor: '2.0' })
    const { nodeId, epoch } = await attach(caller, { sessionId })
    const all = { nodeId, epoch: epoch + 1, healthChanges: { state: 'online' }, expectedRevision: 9 }
    const codeOf = async (fields: Record<string, unknown>) => (await update(caller, { nodeId, ...fields })).error?.code
    expect((await update({ ...server, owner: stranger }, all)).error?.code).toBe('runtimenode.permission_denied')
    expect(await codeOf(all)).toBe('runtimenode.fenced')
    expect(await codeOf({ ...all, epoch })).toBe('version.floor_exceeded')
    await database.db.updateTable('sessions').set({ min_client_version: null }).where('id', '=', sessionId).execute()
    expect((await update(caller, { ...all, epoch })).error?.details).toEqual({ reason: 'not_declared' })
    const { healthChanges: _, ...declaring } = { ...all, epoch }
    expect((await update(caller, declaring)).error?.details).toEqual({ reason: 'stale_revision' })
  },
)

serverTest(
  'below the floor a node may still say that it is worse, with its map unchanged',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const sessionId = await makeSession(database, owner)
    const { nodeId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    await database.db.updateTable('sessions').set({ min_client_version: '5.0' }).where('id', '=', sessionId).execute()
    const worse = { healthChanges: { state: 'degraded' } }
    expect((await update(caller, { nodeId, ...worse, capabilities: { other: 1 } })).error?.code).toBe(
      'version.floor_exceeded',
    )
    expect((await update(caller, { nodeId, ...worse })).data).toMatchObject({ state: 'degraded' })
    expect((await update(caller, { nodeId, healthChanges: { state: 'online' } })).error?.code).toBe(
      'version.floor_exceeded',
    )
  },
)

serverTest(
  'an offline or unknown node is refused, and an offline slot elsewhere is left alone',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const { nodeId } = await attach(caller, { sessionId: a })
    await detach(caller, { nodeId })
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_nodes')
    expect((await update(caller, { nodeId })).error?.code).toBe('runtimenode.permission_denied')
    expect((await update(caller, { nodeId: newNodeId() })).error?.code).toBe('runtimenode.permission_denied')
    expect(await snapshot(database, 'runtime_node_attachments', 'runtime_nodes')).toEqual(before)
    await attach(caller, { sessionId: b, nodeId })
    const slotInA = async () =>
      (
        await sql<{ row: string }>`select to_jsonb(t)::text as row from runtime_node_attachments t
      where node_id = ${nodeId} and session_id = ${a}`.execute(database.db)
      ).rows
    const offline = await slotInA()
    expect((await update(caller, { nodeId })).status).toBe(200)
    expect(await slotInA()).toEqual(offline)
  },
)

describe('a request that is not valid', () => {
  serverTest('is answered 400 without its values, and writes nothing', async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const sessionId = await makeSession(database, owner)
    const { nodeId } = await attach(caller, { sessionId })
    const fresh = newNodeId()
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { deeper: nested(levels - 1) })
    const secret = 'planted-in-the-value'
    const maps = {
      'a map of 1 MB': { monitor: 'x'.repeat(1024 * 1024) },
      'a NUL in a value': { monitor: `${secret}\u0000` },
      'a NUL in a key': { 'a\u0000b': 1 },
      'half a surrogate pair': { monitor: '\ud800' },
      'nine levels': { monitor: nested(8) },
      '65 keys': Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, 1])),
      'a key of 129 characters': { ['k'.repeat(129)]: 1 },
      'an array': [secret],
    }
    const tables = ['runtime_nodes', 'runtime_node_attachments', 'runtime_node_presence'] as const
    const before = await snapshot(database, ...tables)
    for (const [name, capabilities] of Object.entries(maps)) {
      for (const answer of [
        await tryAttach(caller, { sessionId, nodeId: fresh, capabilities }),
        await update(caller, { nodeId, capabilities }),
      ]) {
        expect(answer, name).toMatchObject({ status: 400, error: { code: 'request.invalid', retryable: false } })
        expect(answer.text, name).not.toContain(secret)
      }
    }
    const attaches = [
      ...['1', '1.0.0', '01.0', '1.02', 'a.b', '', '1234567890.0', 2].map((clientVersion) => ({ clientVersion })),
      { nodeId: '' },
      { nodeId: 'with\nbreak' },
      { nodeId: 'x'.repeat(257) },
      { nodeId: 'nul\u0000' },
      { sessionId: 'not-a-uuid' },
      { healthState: 'offline' },
      { surprise: 1 },
    ]
    for (const fields of attaches) {
      const answer = await tryAttach(caller, { sessionId, nodeId: fresh, ...fields })
      expect(answer, JSON.stringify(fields)).toMatchObject({ status: 400, error: { code: 'request.invalid' } })
    }
    const updates = [
      { healthChanges: { state: 'offline' } },
      { healthChanges: { state: 'online', surprise: 1 } },
      { healthChanges: { state: 'degraded', reason: ' ' } },
      { healthChanges: { state: 'degraded', reason: 'x'.repeat(513) } },
      { healthChanges: { state: 'degraded', reason: 'a\u0000' } },
    ]
    for (const fields of updates)
      expect((await update(caller, { nodeId, ...fields })).status, JSON.stringify(fields)).toBe(400)
    expect(await snapshot(database, ...tables)).toEqual(before)
  })

  serverTest('is one beyond each limit; at the limit it is taken', async ({ database, server }) => {
    const owner = await makePerson(database)
    const caller = { ...server, owner }
    const { nodeId } = await attach(caller, { sessionId: await makeSession(database, owner) })
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { deeper: nested(levels - 1) })
    const fill = 32 * 1024 - JSON.stringify({ monitor: '' }).length
    const maps = [
      { monitor: 'x'.repeat(fill) },
      { monitor: nested(7) },
      Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`k${at}`, 1])),
      { ['k'.repeat(128)]: 1 },
    ]
    for (const capabilities of maps) expect((await update(caller, { nodeId, capabilities })).status).toBe(200)
    expect((await update(caller, { nodeId, capabilities: { monitor: 'x'.repeat(fill + 1) } })).status).toBe(400)
  })
})
