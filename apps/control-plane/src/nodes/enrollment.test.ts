import { describe, expect } from 'vitest'
import { enroll, jtiOf, makeEnrollment, newHost, post, proofOf, proveKey, tokenOf } from '../../test/enroll-support.ts'
import { act } from '../../test/scheduling-support.ts'
import { attach, beat, verdictOf } from '../../test/node-support.ts'
import { addMember, call, makePerson, makeSession, query, serverTest, snapshot } from '../../test/support.ts'

const TABLES = ['runtime_nodes', 'node_enrollments', 'tokens'] as const

serverTest(
  'a host enrolls once with a key of its own, and gets a token for an hour that is its node’s',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await makeEnrollment(server.url, owner, { sessionId })
    expect(made.token).toMatch(/^sonde_e_[A-Za-z0-9_-]{43}$/)
    const minutes = (Date.parse(made.expiresAt) - Date.now()) / 60_000
    expect(minutes).toBeGreaterThan(9.9)
    expect(minutes).toBeLessThan(10.1)

    const host = newHost()
    const { credential } = await enroll(server.url, host, made)
    expect(credential?.token).toMatch(/^sonde_n_/)
    const life = (Date.parse(credential?.expiresAt ?? '') - Date.now()) / 60_000
    expect(life).toBeGreaterThan(59.9)
    expect(life).toBeLessThan(60.1)
    const row = await database.db
      .selectFrom('runtime_nodes')
      .select(['owner_id', 'public_key'])
      .where('node_id', '=', host.nodeId)
      .executeTakeFirstOrThrow()
    expect(row).toEqual({ owner_id: owner.participantId, public_key: Buffer.from(host.publicKey, 'base64url') })
    const caller = { url: server.url, owner, token: credential?.token ?? '' }
    const { nodeId, epoch } = await attach(caller, { sessionId, nodeId: host.nodeId })
    expect(verdictOf(await beat(caller, { nodeId, epoch })).credential).toBeUndefined()
    expect((await query(server.url, owner.token, 'tokens.list', { sessionId })).data).toEqual({ tokens: [] })
    for (const secret of [made.token, caller.token]) {
      expect(JSON.stringify(server.logs)).not.toContain(secret.slice(8))
      const rows = JSON.stringify(await snapshot(database, ...TABLES))
      expect(rows).not.toContain(secret.slice(8))
    }
  },
)

serverTest(
  'an answer that was lost is asked for again by the same host, and by no other',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await makeEnrollment(server.url, owner, { sessionId })
    const host = newHost()
    const first = tokenOf(await enroll(server.url, host, made))
    const second = tokenOf(await enroll(server.url, host, made))
    for (const token of [first, second]) expect((await query(server.url, token, 'tokens.self')).status).toBe(200)
    expect((await enroll(server.url, newHost(), made)).error?.code).toBe('enrollment.used')
    // The same node id with another key is another host.
    expect((await enroll(server.url, newHost(host.nodeId), made)).error?.code).toBe('enrollment.key_mismatch')
    const another = await makeEnrollment(server.url, owner, { sessionId })
    expect((await enroll(server.url, newHost(host.nodeId), another)).error?.code).toBe('enrollment.key_mismatch')
    expect((await enroll(server.url, newHost(), another)).status).toBe(200)
  },
)

serverTest('of hosts that enroll with one token at once exactly one is taken in', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  for (let round = 0; round < 5; round += 1) {
    const made = await makeEnrollment(server.url, owner, { sessionId })
    const hosts = Array.from({ length: 8 }, () => newHost())
    const answers = await Promise.all(hosts.map((host) => enroll(server.url, host, made)))
    expect(answers.map(({ error }) => error?.code ?? 'ok').toSorted()).toEqual([
      ...Array.from({ length: 7 }, () => 'enrollment.used'),
      'ok',
    ])
    const ids = hosts.map(({ nodeId }) => nodeId)
    const known = await database.db.selectFrom('runtime_nodes').select('node_id').where('node_id', 'in', ids).execute()
    expect(known).toEqual([{ node_id: ids[answers.findIndex(({ status }) => status === 200)] }])
  }
})

describe('an enrollment changes nothing', () => {
  serverTest('for a token that is unknown, malformed, expired, or of another name', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await makeEnrollment(server.url, owner, { sessionId })
    const expired = await makeEnrollment(server.url, owner, { sessionId })
    await database.db
      .updateTable('node_enrollments')
      .set({ expires_at: new Date(Date.now() - 1) })
      .where('id', '=', expired.enrollmentId)
      .execute()
    const before = await snapshot(database, ...TABLES)
    const host = newHost()
    const codeOf = async (token: string, name?: string) =>
      (await enroll(server.url, host, { token, ...(name !== undefined && { name }) })).error?.code
    expect({
      unknown: await codeOf(`sonde_e_${'a'.repeat(43)}`),
      malformed: await codeOf('sonde_e_x'),
      person: await codeOf(owner.token),
      expired: await codeOf(expired.token),
      foreign: await codeOf(made.token, 'rack-8'),
    }).toEqual({
      unknown: 'enrollment.invalid',
      malformed: 'enrollment.invalid',
      person: 'enrollment.invalid',
      expired: 'enrollment.expired',
      foreign: 'enrollment.foreign',
    })
    expect(await snapshot(database, ...TABLES)).toEqual(before)
  })

  serverTest('for a proof by another key, about something else, or of another time', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await makeEnrollment(server.url, owner, { sessionId })
    const host = newHost()
    const before = await snapshot(database, ...TABLES)
    const codeOf = async (claims: Parameters<typeof proofOf>[2]) =>
      (await enroll(server.url, host, { ...made, claims: claims ?? {} })).error?.code
    expect({
      key: await codeOf({ key: newHost().privateKey }),
      audience: await codeOf({ audience: 'sonde:credential' }),
      node: await codeOf({ subject: newHost().nodeId }),
      enrollment: await codeOf({ jti: jtiOf('sonde_e_other') }),
      old: await codeOf({ atMs: Date.now() - 180_000 }),
      early: await codeOf({ atMs: Date.now() + 180_000 }),
    }).toEqual({
      key: 'auth.proof_invalid',
      audience: 'auth.proof_invalid',
      node: 'auth.proof_invalid',
      enrollment: 'auth.proof_invalid',
      old: 'auth.proof_stale',
      early: 'auth.proof_stale',
    })
    const { nodeId, publicKey } = host
    const unsigned = { token: made.token, nodeId, name: 'rack-7', publicKey, proof: 'eyJhbGciOiJub25lIn0.e30.' }
    expect((await post(server.url, '/node/enroll', unsigned)).error?.code).toBe('auth.proof_invalid')
    expect(await snapshot(database, ...TABLES)).toEqual(before)
  })

  serverTest(
    'for a node of somebody else, and for a maker who may not attach any more',
    async ({ database, server }) => {
      const [owner, stranger] = [await makePerson(database), await makePerson(database)]
      const operator = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      await addMember(database, sessionId, { person: operator, role: 'operator' })
      const foreign = await attach(
        { url: server.url, owner: stranger },
        { sessionId: await makeSession(database, stranger) },
      )
      const made = await makeEnrollment(server.url, owner, { sessionId })
      const refused = await enroll(server.url, newHost(foreign.nodeId), made)
      expect(refused.error?.code).toBe('runtimenode.permission_denied')
      const ofOperator = await makeEnrollment(server.url, operator, { sessionId })
      await call(server.url, owner.token, 'sessions.removeMember', {
        sessionId,
        participantId: operator.participantId,
      })
      expect((await enroll(server.url, newHost(), ofOperator)).error?.code).toBe('runtimenode.permission_denied')
      expect((await enroll(server.url, newHost(), made)).status).toBe(200)
    },
  )
})

serverTest('a node below the floor enrolls, renews and stays, read-only', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner, { floor: '2.0' })
  const host = newHost()
  const token = tokenOf(await enroll(server.url, host, await makeEnrollment(server.url, owner, { sessionId })))
  const caller = { url: server.url, owner, token }
  const slot = await attach(caller, { sessionId, nodeId: host.nodeId, clientVersion: '1.9' })
  expect(slot.readOnly).toBe(true)
  await database.db
    .updateTable('tokens')
    .set({ created_at: new Date(Date.now() - 1_900_000), expires_at: new Date(Date.now() + 1_700_000) })
    .where('node_id', '=', host.nodeId)
    .execute()
  await expect
    .poll(async () => verdictOf(await beat(caller, { nodeId: host.nodeId })), { timeout: 5_000, interval: 100 })
    .toMatchObject({ readOnly: true, credential: { token: expect.stringMatching(/^sonde_n_/) } })
  expect((await proveKey(server.url, host)).status).toBe(200)
})

serverTest('a revoked node gets nothing more, by its key or by another enrollment', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const host = newHost()
  const token = tokenOf(await enroll(server.url, host, await makeEnrollment(server.url, owner, { sessionId })))
  const { nodeId, epoch } = await attach({ url: server.url, owner, token }, { sessionId, nodeId: host.nodeId })
  const again = await makeEnrollment(server.url, owner, { sessionId })
  await act(owner, { url: server.url, sessionId, nodeId }, { procedure: 'revoke' })
  const refusedBeat = await beat({ url: server.url, owner, token }, { nodeId, epoch })
  expect(['runtimenode.permission_denied', 'runtimenode.attach_revoked']).toContain(refusedBeat.error?.code)
  await expect
    .poll(async () => (await query(server.url, token, 'tokens.self')).error?.code, { timeout: 5_000, interval: 100 })
    .toBe('runtimenode.attach_revoked')
  expect((await proveKey(server.url, host)).error?.code).toBe('runtimenode.attach_revoked')
  const before = await snapshot(database, ...TABLES)
  expect((await enroll(server.url, host, again)).error?.code).toBe('runtimenode.attach_revoked')
  expect(await snapshot(database, ...TABLES)).toEqual(before)
})
