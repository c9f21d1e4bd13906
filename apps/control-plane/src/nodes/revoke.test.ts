import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { act, shownTo } from '../../test/scheduling-support.ts'
import {
  addMember,
  makePerson,
  makeSession,
  query,
  serverTest,
  snapshot,
  withoutRequestId,
} from '../../test/support.ts'

const TABLES = [
  'runtime_nodes',
  'runtime_node_attachments',
  'runtime_node_presence',
  'runtime_node_transitions',
] as const

serverTest(
  "a session's owner revokes another's node for good: slot and presence end, and nothing brings it back",
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const operator = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: operator, role: 'operator' })
    const caller = { url: server.url, owner: operator }
    const { nodeId, epoch, attachmentId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    const place = { url: server.url, sessionId, nodeId }
    const members = await snapshot(database, 'session_memberships', 'sessions')

    const answer = await act(owner, place, { procedure: 'revoke', reason: 'left the company' })
    expect(answer).toMatchObject({ status: 200, data: { attachmentId, state: 'revoked' } })
    expect(await snapshot(database, 'session_memberships', 'sessions')).toEqual(members)
    expect(await shownTo(owner, place)).toMatchObject({
      state: 'revoked',
      healthState: 'offline',
      liveness: 'offline',
      schedulable: false,
      endedAt: expect.any(String),
      lastHeartbeatAt: expect.any(String),
      transitions: [
        { axis: 'liveness', from: 'online', to: 'offline', cause: 'revoke', reason: 'left the company' },
        { axis: 'slot', from: 'online', to: 'revoked', cause: 'revoke', reason: 'left the company' },
        { axis: 'slot', from: 'registering', to: 'online', cause: 'capability_update' },
        { axis: 'liveness', from: null, to: 'online', cause: 'attach' },
        { axis: 'slot', from: null, to: 'registering', cause: 'attach' },
      ],
    })

    const before = await snapshot(database, ...TABLES)
    expect((await act(owner, place, { procedure: 'revoke' })).data).toEqual({ attachmentId, state: 'revoked' })
    expect((await beat(caller, { nodeId, epoch })).error?.code).toBe('runtimenode.permission_denied')
    expect((await update(caller, { nodeId })).error?.code).toBe('runtimenode.permission_denied')
    expect((await detach(caller, { nodeId })).data).toBeNull()
    expect((await tryAttach(caller, { sessionId, nodeId })).error?.code).toBe('runtimenode.attach_revoked')
    expect((await act(operator, place, { procedure: 'cordon' })).error?.code).toBe('runtimenode.permission_denied')
    expect(await snapshot(database, ...TABLES)).toEqual(before)
    const elsewhere = await makeSession(database, operator)
    expect((await tryAttach(caller, { sessionId: elsewhere, nodeId })).status).toBe(200)
  },
)

serverTest('a slot that has ended is revoked too, and keeps its last beat', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId })
  await detach(caller, { nodeId })
  const place = { url: server.url, sessionId, nodeId }
  const { lastHeartbeatAt } = await shownTo(owner, place)
  expect((await act(owner, place, { procedure: 'revoke' })).status).toBe(200)
  const now = await shownTo(owner, place)
  expect(now).toMatchObject({ state: 'revoked', lastHeartbeatAt })
  expect(now.transitions[0]).toMatchObject({ axis: 'slot', from: 'offline', to: 'revoked' })
})

serverTest(
  'revoke and show are refused alike to whoever may not, for whatever reason, and change nothing',
  async ({ database, server }) => {
    const [owner, operator, viewer, stranger] = [
      await makePerson(database),
      await makePerson(database),
      await makePerson(database),
      await makePerson(database),
    ]
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: operator, role: 'operator' })
    await addMember(database, sessionId, { person: viewer, role: 'viewer' })
    const { nodeId } = await attach({ url: server.url, owner: operator }, { sessionId })
    const other = await makeSession(database, stranger)
    const place = { url: server.url, sessionId, nodeId }
    const before = await snapshot(database, ...TABLES)
    const revokes = [
      await act(operator, place, { procedure: 'revoke' }),
      await act(viewer, place, { procedure: 'revoke' }),
      await act(stranger, place, { procedure: 'revoke' }),
      await act(stranger, { ...place, sessionId: other }, { procedure: 'revoke' }),
      await act(owner, { ...place, nodeId: newNodeId() }, { procedure: 'revoke' }),
      await act(owner, { ...place, sessionId: other }, { procedure: 'revoke' }),
    ]
    const shows = await Promise.all(
      [
        { person: stranger, input: { sessionId, nodeId } },
        { person: stranger, input: { sessionId: other, nodeId } },
        { person: owner, input: { sessionId, nodeId: newNodeId() } },
      ].map(({ person, input }) => query(server.url, person.token, 'runtimeNode.show', input)),
    )
    for (const answers of [revokes, shows]) {
      expect(answers[0]).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
      expect(new Set(answers.map(withoutRequestId)).size).toBe(1)
    }
    expect(await snapshot(database, ...TABLES)).toEqual(before)
    expect((await shownTo(viewer, place)).nodeId).toBe(nodeId)
  },
)

serverTest('show answers the last 20 transitions of this session only, newest first', async ({ database, server }) => {
  const owner = await makePerson(database)
  const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId: a, host: 'host-a' })
  await detach(caller, { nodeId, reason: 'moves' })
  await attach(caller, { sessionId: b, nodeId })
  for (let round = 0; round < 12; round += 1) {
    await beat(caller, { nodeId, healthState: 'degraded' })
    await beat(caller, { nodeId })
  }
  const first = await shownTo(owner, { url: server.url, sessionId: a, nodeId })
  expect(first.host).toBe('host-a')
  expect(first.transitions.map(({ axis, cause, reason }) => [axis, cause, reason])).toEqual([
    ['liveness', 'detach', 'moves'],
    ['slot', 'detach', 'moves'],
    ['liveness', 'attach', 'host-a'],
    ['slot', 'attach', 'host-a'],
  ])
  const second = await shownTo(owner, { url: server.url, sessionId: b, nodeId })
  expect(second.transitions).toHaveLength(20)
  expect(second.transitions.slice(0, 2).map(({ from, to }) => [from, to])).toEqual([
    ['degraded', 'online'],
    ['online', 'degraded'],
  ])
})
