import { newId } from '@sonde/contracts'
import { describe, expect } from 'vitest'
import { attach, beat, detach, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import {
  addMember,
  call,
  bindToken,
  makeNodeToken,
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
  'the uniform negative is the same bytes for every cause, and writes nothing',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const stranger = await makePerson(database)
    const viewer = await makePerson(database)
    const fellow = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: viewer, role: 'viewer' })
    await addMember(database, sessionId, { person: fellow, role: 'operator' })
    const archived = await makeSession(database, owner, { state: 'archived' })
    const { nodeId, epoch } = await attach({ url: server.url, owner }, { sessionId })
    const as = (person: typeof owner) => ({ url: server.url, owner: person })
    const own = newNodeId()
    const before = await snapshot(database, ...TABLES)
    const refusals = {
      attach: [
        await tryAttach(as(owner), { sessionId: newId(), nodeId: own }),
        await tryAttach(as(stranger), { sessionId, nodeId: own }),
        await tryAttach(as(viewer), { sessionId, nodeId: own }),
        await tryAttach(as(stranger), { sessionId: archived, nodeId: own }),
        await tryAttach(as(fellow), { sessionId, nodeId }),
      ],
      heartbeat: [
        await beat(as(owner), { nodeId: own }),
        await beat(as(fellow), { nodeId, epoch }),
        await beat(as(stranger), { nodeId }),
      ],
      capabilityUpdate: [
        await update(as(owner), { nodeId: own }),
        await update(as(fellow), { nodeId, epoch: 0 }),
        await update(as(stranger), { nodeId }),
      ],
      roster: [
        await query(server.url, stranger.token, 'runtimeNode.roster', { sessionId }),
        await query(server.url, owner.token, 'runtimeNode.roster', { sessionId: newId() }),
      ],
    }
    for (const [procedure, answers] of Object.entries(refusals)) {
      const texts = new Set(answers.map((answer) => `${answer.status} ${withoutRequestId(answer)}`))
      expect([...texts], procedure).toHaveLength(1)
      expect(answers[0], procedure).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
      expect(answers[0]?.error, procedure).not.toHaveProperty('details')
    }
    expect(await snapshot(database, ...TABLES)).toEqual(before)
  },
)

serverTest(
  'a body that names another participant is refused before anything else; the case of ids does not matter',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const answer = await tryAttach(caller, { sessionId: newId(), nodeId: newNodeId(), participantId: newId() })
    expect(answer).toMatchObject({ status: 403, error: { code: 'auth.principal_mismatch' } })
    const upper = { sessionId: sessionId.toUpperCase(), participantId: owner.participantId.toUpperCase() }
    expect((await tryAttach(caller, { ...upper, nodeId: newNodeId() })).status).toBe(200)
  },
)

serverTest('an operator may attach, and the owner of a node never changes', async ({ database, server }) => {
  const owner = await makePerson(database)
  const operator = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  const mine = { url: server.url, owner: operator }
  const first = await attach(mine, { sessionId })
  const { nodeId } = first
  const other = await tryAttach({ url: server.url, owner }, { sessionId, nodeId })
  expect(other.error?.code).toBe('runtimenode.permission_denied')
  await detach(mine, { nodeId })
  const elsewhere = await makeSession(database, owner)
  expect((await tryAttach({ url: server.url, owner }, { sessionId: elsewhere, nodeId })).status).toBe(403)
  expect((await tryAttach({ url: server.url, owner }, { sessionId, nodeId })).status).toBe(403)
  expect(await attach(mine, { sessionId, nodeId })).toMatchObject({ attachmentId: first.attachmentId })
})

describe('detach', () => {
  serverTest(
    'by a fellow member is refused, by anybody else it is null and nothing happens',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const viewer = await makePerson(database)
      const stranger = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      await addMember(database, sessionId, { person: viewer, role: 'viewer' })
      const { nodeId } = await attach({ url: server.url, owner }, { sessionId })
      const before = await snapshot(database, ...TABLES)
      expect((await detach({ url: server.url, owner: viewer }, { nodeId })).status).toBe(403)
      expect((await detach({ url: server.url, owner: stranger }, { nodeId })).text).toBe('{"result":{"data":null}}')
      expect((await detach({ url: server.url, owner }, { nodeId: newNodeId() })).text).toBe('{"result":{"data":null}}')
      expect(await snapshot(database, ...TABLES)).toEqual(before)
    },
  )
})

describe('a node token', () => {
  serverTest('acts for its owner in its one session and nowhere else', async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const token = await makeNodeToken(database, owner, a)
    const byToken = { url: server.url, owner, token }
    const byOwner = { url: server.url, owner }
    expect((await tryAttach(byToken, { sessionId: b, nodeId: newNodeId() })).error?.code).toBe(
      'runtimenode.permission_denied',
    )
    const inB = await attach(byOwner, { sessionId: b })
    await bindToken(database, token, inB.nodeId)
    const before = await snapshot(database, ...TABLES)
    expect((await beat(byToken, { nodeId: inB.nodeId })).error?.code).toBe('runtimenode.permission_denied')
    expect((await update(byToken, { nodeId: inB.nodeId })).error?.code).toBe('runtimenode.permission_denied')
    expect((await detach(byToken, { nodeId: inB.nodeId })).data).toBeNull()
    expect(await snapshot(database, ...TABLES)).toEqual(before)

    await detach(byOwner, { nodeId: inB.nodeId })
    const inA = await attach(byToken, { sessionId: a, nodeId: inB.nodeId })
    expect((await update(byToken, { nodeId: inA.nodeId, epoch: inA.epoch })).status).toBe(200)
    expect((await beat(byToken, { nodeId: inA.nodeId, epoch: inA.epoch })).status).toBe(200)
    expect((await detach(byToken, { nodeId: inA.nodeId })).data).toBeNull()
    expect((await query(server.url, token, 'runtimeNode.roster', { sessionId: a })).error?.code).toBe(
      'auth.kind_required',
    )
  })
})

serverTest('membership and attachment leave each other alone', async ({ database, server }) => {
  const owner = await makePerson(database)
  const operator = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  await attach({ url: server.url, owner: operator }, { sessionId })
  const before = await snapshot(database, ...TABLES)
  const removed = { sessionId, participantId: operator.participantId }
  expect((await call(server.url, owner.token, 'sessions.removeMember', removed)).status).toBe(200)
  expect(await snapshot(database, ...TABLES)).toEqual(before)
})
