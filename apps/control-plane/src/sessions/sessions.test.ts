import { newId, type Member, type Session } from '@sonde/contracts'
import { describe, expect } from 'vitest'
import {
  addMember,
  call,
  makePerson,
  makeSession,
  query,
  serverTest,
  snapshot,
  withoutRequestId,
} from '../../test/support.ts'

const TABLES = ['sessions', 'session_memberships', 'participants'] as const

serverTest('whoever creates a session owns it and reads it back', async ({ database, server }) => {
  const { token, participantId } = await makePerson(database, 'Ada')
  const created = await call(server.url, token, 'sessions.create', { name: 'checkout', minClientVersion: '1.2' })
  const session = created.data as Session
  expect(session).toMatchObject({
    name: 'checkout',
    state: 'active',
    minClientVersion: '1.2',
    role: 'owner',
    archivedAt: null,
  })
  const read = await query(server.url, token, 'sessions.get', { sessionId: session.id })
  expect(read.data).toMatchObject({
    ...session,
    members: [{ participantId, name: 'Ada', role: 'owner', state: 'active' }],
  })
})

serverTest(
  "a list has the caller's sessions only, newest first, in pages, and archived ones on request",
  async ({ database, server }) => {
    const person = await makePerson(database)
    await makeSession(database, await makePerson(database))
    const ids: string[] = []
    for (let at = 0; at < 5; at += 1) ids.unshift(await makeSession(database, person))
    await call(server.url, person.token, 'sessions.archive', { sessionId: ids[2] })
    const list = async (input: Record<string, unknown>) => {
      const { sessions, nextCursor } = (await query(server.url, person.token, 'sessions.list', input)).data as {
        sessions: Session[]
        nextCursor: string | null
      }
      return { ids: sessions.map(({ id }) => id), nextCursor }
    }
    expect((await list({})).ids).toEqual(ids.filter((id) => id !== ids[2]))
    expect((await list({ includeArchived: true })).ids).toEqual(ids)
    const first = await list({ includeArchived: true, limit: 3 })
    expect(first.ids).toEqual(ids.slice(0, 3))
    expect((await list({ includeArchived: true, limit: 3, cursor: first.nextCursor })).ids).toEqual(ids.slice(3))
  },
)

serverTest('an unknown session and one of others are refused in the same bytes', async ({ database, server }) => {
  const owner = await makePerson(database)
  const stranger = await makePerson(database)
  const former = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: former, role: 'owner' })
  const removal = { sessionId, participantId: former.participantId }
  expect((await call(server.url, owner.token, 'sessions.removeMember', removal)).status).toBe(200)
  const inputs = (id: string) =>
    [
      ['sessions.setFloor', { sessionId: id, minClientVersion: '9.0' }],
      ['sessions.addMember', { sessionId: id, participantId: stranger.participantId, role: 'owner' }],
      ['sessions.removeMember', { sessionId: id, participantId: owner.participantId }],
      ['sessions.archive', { sessionId: id }],
      ['tokens.create', { kind: 'node', sessionId: id, name: 'n' }],
      ['tokens.revoke', { sessionId: id, tokenId: newId() }],
    ] as const
  const before = await snapshot(database, ...TABLES)
  const texts = new Set<string>()
  for (const [person, id] of [
    [stranger, sessionId],
    [former, sessionId],
    [owner, newId()],
  ] as const) {
    for (const [procedure, input] of inputs(id)) {
      texts.add(withoutRequestId(await call(server.url, person.token, procedure, input)).replace(procedure, ''))
    }
    for (const procedure of ['sessions.get', 'tokens.list']) {
      const answer = await query(server.url, person.token, procedure, { sessionId: id })
      expect(answer.status).toBe(404)
      texts.add(withoutRequestId(answer).replace(procedure, ''))
    }
  }
  expect([...texts]).toHaveLength(1)
  expect([...texts][0]).toContain('session.not_found')
  expect(await snapshot(database, ...TABLES)).toEqual(before)
})

describe('the floor', () => {
  serverTest('only rises, numerically', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const set = (minClientVersion: string) =>
      call(server.url, owner.token, 'sessions.setFloor', { sessionId, minClientVersion })
    for (const version of ['1.9', '1.10', '2.0', '10.0', '999999999.999999999']) {
      expect((await set(version)).data, version).toMatchObject({ minClientVersion: version })
    }
    const before = await snapshot(database, 'sessions')
    for (const version of ['999999999.999999999', '999999999.1', '9.0', '0.0']) {
      expect(await set(version), version).toMatchObject({
        status: 409,
        error: {
          code: 'session.floor_not_raised',
          details: { current: '999999999.999999999', requested: version },
        },
      })
    }
    for (const version of ['1', '1.0.0', '01.0', '1000000000.0', ''])
      expect((await set(version)).status, version).toBe(400)
    expect(await snapshot(database, 'sessions')).toEqual(before)
  })
})

describe('members', () => {
  serverTest('are added, changed, removed and added again by an owner', async ({ database, server }) => {
    const owner = await makePerson(database)
    const guest = await makePerson(database, 'Grace')
    const sessionId = await makeSession(database, owner)
    const { participantId } = guest
    const member = async (procedure: string, input: Record<string, unknown>) => {
      const answer = await call(server.url, owner.token, procedure, { sessionId, participantId, ...input })
      const { members } = answer.data as { members: Member[] }
      return members.find((each) => each.participantId === participantId)
    }
    expect(await member('sessions.addMember', { role: 'viewer' })).toMatchObject({
      name: 'Grace',
      role: 'viewer',
      state: 'active',
    })
    expect(await member('sessions.addMember', { role: 'operator' })).toMatchObject({ role: 'operator' })
    expect(await member('sessions.removeMember', {})).toMatchObject({ state: 'revoked' })
    expect((await query(server.url, guest.token, 'sessions.get', { sessionId })).status).toBe(404)
    const again = await call(server.url, owner.token, 'sessions.removeMember', { sessionId, participantId })
    expect(again.error?.code).toBe('session.member_not_found')
    expect(await member('sessions.addMember', { role: 'viewer' })).toMatchObject({ role: 'viewer', state: 'active' })
    const nobody = { sessionId, participantId: newId(), role: 'viewer' }
    expect((await call(server.url, owner.token, 'sessions.addMember', nobody)).error?.code).toBe(
      'participant.not_found',
    )
  })

  serverTest(
    'always include an owner, also when two owners remove each other at once',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      const { participantId } = owner
      const before = await snapshot(database, 'session_memberships')
      for (const [procedure, input] of [
        ['sessions.removeMember', { sessionId, participantId }],
        ['sessions.addMember', { sessionId, participantId, role: 'viewer' }],
      ] as const) {
        expect((await call(server.url, owner.token, procedure, input)).error?.code).toBe('session.last_owner')
      }
      expect(await snapshot(database, 'session_memberships')).toEqual(before)

      for (let round = 0; round < 10; round += 1) {
        const [one, other] = [await makePerson(database), await makePerson(database)]
        const shared = await makeSession(database, one)
        await addMember(database, shared, { person: other, role: 'owner' })
        const removals = await Promise.all(
          [
            { by: one, whom: other },
            { by: other, whom: one },
          ].map(({ by, whom }) =>
            call(server.url, by.token, 'sessions.removeMember', {
              sessionId: shared,
              participantId: whom.participantId,
            }),
          ),
        )
        expect(removals.filter(({ status }) => status === 200)).toHaveLength(1)
      }
    },
  )
})

serverTest('viewers and operators read, and change nothing', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  for (const role of ['viewer', 'operator'] as const) {
    const person = await makePerson(database)
    await addMember(database, sessionId, { person, role })
    const before = await snapshot(database, ...TABLES)
    expect((await query(server.url, person.token, 'sessions.get', { sessionId })).data).toMatchObject({ role })
    for (const [procedure, input] of [
      ['sessions.setFloor', { minClientVersion: '9.0' }],
      ['sessions.addMember', { participantId: person.participantId, role: 'owner' }],
      ['sessions.removeMember', { participantId: owner.participantId }],
      ['sessions.archive', {}],
    ] as const) {
      const answer = await call(server.url, person.token, procedure, { sessionId, ...input })
      expect(answer, `${role} ${procedure}`).toMatchObject({
        status: 403,
        error: { code: 'auth.role_required', details: { required: ['owner'] } },
      })
    }
    expect(await snapshot(database, ...TABLES)).toEqual(before)
  }
})

serverTest('an archived session is still read and takes no more changes', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const archive = () => call(server.url, owner.token, 'sessions.archive', { sessionId })
  const archived = (await archive()).data as Session
  expect(archived).toMatchObject({ state: 'archived' })
  expect(archived.archivedAt).not.toBeNull()
  expect((await archive()).data).toEqual(archived)
  expect((await query(server.url, owner.token, 'sessions.get', { sessionId })).status).toBe(200)
  for (const [procedure, input] of [
    ['sessions.setFloor', { minClientVersion: '9.0' }],
    ['sessions.addMember', { participantId: owner.participantId, role: 'owner' }],
    ['tokens.create', { kind: 'node', name: 'n' }],
  ] as const) {
    const answer = await call(server.url, owner.token, procedure, { sessionId, ...input })
    expect(answer, procedure).toMatchObject({ status: 409, error: { code: 'session.not_active' } })
  }
})

serverTest('names are refused when blank, too long, or not storable', async ({ database, server }) => {
  const { token } = await makePerson(database)
  const before = await snapshot(database, 'sessions')
  for (const name of ['', '  ', 'x'.repeat(129), 'a\u0000b', '\ud800', 7, null]) {
    expect((await call(server.url, token, 'sessions.create', { name })).status, JSON.stringify(name)).toBe(400)
  }
  expect((await call(server.url, token, 'sessions.create', { name: 'x', surprise: 1 })).status).toBe(400)
  expect(await snapshot(database, 'sessions')).toEqual(before)
})
