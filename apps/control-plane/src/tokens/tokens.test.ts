import type { Token, TokenCreated } from '@sonde/contracts'
import { hashToken } from '@sonde/database'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { attach, beat } from '../../test/node-support.ts'
import {
  addMember,
  call,
  makeNodeToken,
  makePerson,
  makeSession,
  query,
  serverTest,
  snapshot,
} from '../../test/support.ts'

const create = async (
  server: { url: string },
  token: string,
  input: Record<string, unknown>,
): Promise<TokenCreated> => {
  const answer = await call(server.url, token, 'tokens.create', input)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.data as TokenCreated
}

serverTest(
  'a token for another person comes with its participant and membership, and works',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await create(server, owner.token, { kind: 'person', sessionId, name: 'Grace', role: 'viewer' })
    expect(made.token).toMatch(/^sonde_p_[A-Za-z0-9_-]{43}$/)
    expect((await query(server.url, made.token, 'tokens.self')).data).toEqual({
      kind: 'person',
      participantId: made.participantId,
      sessionId: null,
    })
    expect((await query(server.url, made.token, 'sessions.get', { sessionId })).data).toMatchObject({ role: 'viewer' })
  },
)

serverTest(
  'a token for a node acts for its maker in that session, and lives 90 days unless told otherwise',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const made = await create(server, owner.token, { kind: 'node', sessionId, name: 'edge-1' })
    expect(made.token).toMatch(/^sonde_n_[A-Za-z0-9_-]{43}$/)
    expect((await query(server.url, made.token, 'tokens.self')).data).toEqual({
      kind: 'node',
      participantId: owner.participantId,
      sessionId,
    })
    const days = (new Date(made.expiresAt).getTime() - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(89.9)
    expect(days).toBeLessThan(90.1)
    await attach({ url: server.url, owner, token: made.token }, { sessionId })
  },
)

serverTest(
  'only hashes are stored: no row of any table and no line of the log has a token in it',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const person = await create(server, owner.token, { kind: 'person', sessionId, name: 'p', role: 'operator' })
    const node = await create(server, owner.token, { kind: 'node', sessionId, name: 'n' })
    const made = [person, node]
    await query(server.url, person.token, 'sessions.list', {})
    await beat({ url: server.url, owner, token: node.token }, { nodeId: 'nothing' })
    const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public'`.execute(database.db)
    expect(tables.rows.length).toBeGreaterThan(10)
    for (const { name } of tables.rows) {
      const { rows } = await sql<{ row: string }>`select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(
        database.db,
      )
      for (const { token } of made) {
        const encodings = [
          token,
          token.slice(8),
          Buffer.from(token).toString('hex'),
          Buffer.from(token).toString('base64'),
        ]
        for (const text of encodings)
          expect(
            rows.some(({ row }) => row.includes(text)),
            `${name} ${text}`,
          ).toBe(false)
      }
    }
    expect(server.logs.length).toBeGreaterThan(3)
    for (const { token } of made) expect(JSON.stringify(server.logs)).not.toContain(token.slice(8))
    const stored = await database.db
      .selectFrom('tokens')
      .select('sha256')
      .where('id', '=', person.tokenId)
      .executeTakeFirstOrThrow()
    expect(stored.sha256.equals(hashToken(person.token))).toBe(true)
    const listed = await query(server.url, owner.token, 'tokens.list', { sessionId })
    for (const { token } of made) expect(listed.text).not.toContain(token.slice(8))
  },
)

describe('a token', () => {
  serverTest(
    'that is missing, malformed, unknown, expired or revoked is refused with its own code',
    async ({ database, server }) => {
      const owner = await makePerson(database)
      const sessionId = await makeSession(database, owner)
      const codeWith = async (headers: Record<string, string>) => {
        const response = await fetch(`${server.url}/trpc/sessions.list`, { headers })
        expect(response.status).toBe(401)
        const body = (await response.json()) as {
          error: { data: { sondeError: { code: string; retryable: boolean } } }
        }
        return body.error.data.sondeError.code
      }
      expect(await codeWith({})).toBe('auth.token_missing')
      for (const authorization of [
        'Bearer',
        'Bearer x',
        `Bearer sonde_p_${'a'.repeat(43)}`,
        `Bearer sonde_x_${'a'.repeat(43)}`,
        `Bearer ${owner.token}x`,
        `Bearer ${owner.token.toUpperCase()}`,
        `Basic ${owner.token}`,
        `Bearer ${owner.token} ${owner.token}`,
      ]) {
        expect(await codeWith({ authorization }), authorization.slice(0, 16)).toBe('auth.token_invalid')
      }
      const change = async (fields: { expires_at?: Date; revoked_at?: Date }) => {
        const made = await create(server, owner.token, { kind: 'person', sessionId, name: 'p', role: 'viewer' })
        await database.db.updateTable('tokens').set(fields).where('id', '=', made.tokenId).execute()
        return codeWith({ authorization: `Bearer ${made.token}` })
      }
      expect(await change({ expires_at: new Date(Date.now() - 1) })).toBe('auth.token_expired')
      expect(await change({ revoked_at: new Date() })).toBe('auth.token_invalid')
      expect(await change({ revoked_at: new Date(), expires_at: new Date(0) })).toBe('auth.token_invalid')
    },
  )

  serverTest('that is revoked while it is in use is refused within a few seconds', async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const { token, tokenId } = await create(server, owner.token, { kind: 'node', sessionId, name: 'n' })
    expect((await query(server.url, token, 'tokens.self')).status).toBe(200)
    expect((await call(server.url, owner.token, 'tokens.revoke', { sessionId, tokenId })).data).toEqual({ tokenId })
    expect((await call(server.url, owner.token, 'tokens.revoke', { sessionId, tokenId })).data).toEqual({ tokenId })
    await expect
      .poll(async () => (await query(server.url, token, 'tokens.self')).error?.code, { timeout: 5_000, interval: 100 })
      .toBe('auth.token_invalid')
  })

  serverTest('of another session is neither listed nor revoked from here', async ({ database, server }) => {
    const owner = await makePerson(database)
    const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
    const made = await create(server, owner.token, { kind: 'node', sessionId: a, name: 'mine' })
    const list = async (sessionId: string) =>
      ((await query(server.url, owner.token, 'tokens.list', { sessionId })).data as { tokens: Token[] }).tokens
    expect((await list(a)).map(({ tokenId, name, kind }) => ({ tokenId, name, kind }))).toEqual([
      { tokenId: made.tokenId, name: 'mine', kind: 'node' },
    ])
    expect(await list(b)).toEqual([])
    const foreign = await call(server.url, owner.token, 'tokens.revoke', { sessionId: b, tokenId: made.tokenId })
    expect(foreign.error?.code).toBe('token.not_found')
    expect((await query(server.url, made.token, 'tokens.self')).status).toBe(200)
  })
})

serverTest('a node token calls nothing of people', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const token = await makeNodeToken(database, owner, sessionId)
  const before = await snapshot(database, 'sessions', 'session_memberships', 'tokens', 'participants')
  const answers = [
    await call(server.url, token, 'sessions.create', { name: 'x' }),
    await query(server.url, token, 'sessions.get', { sessionId }),
    await query(server.url, token, 'sessions.list', {}),
    await call(server.url, token, 'sessions.setFloor', { sessionId, minClientVersion: '1.0' }),
    await call(server.url, token, 'sessions.addMember', {
      sessionId,
      participantId: owner.participantId,
      role: 'owner',
    }),
    await call(server.url, token, 'sessions.removeMember', { sessionId, participantId: owner.participantId }),
    await call(server.url, token, 'sessions.archive', { sessionId }),
    await call(server.url, token, 'tokens.create', { kind: 'node', sessionId, name: 'x' }),
    await query(server.url, token, 'tokens.list', { sessionId }),
    await call(server.url, token, 'tokens.revoke', { sessionId, tokenId: sessionId }),
  ]
  for (const answer of answers) expect(answer).toMatchObject({ status: 403, error: { code: 'auth.kind_required' } })
  expect(await snapshot(database, 'sessions', 'session_memberships', 'tokens', 'participants')).toEqual(before)
})

const MAY = {
  owner: { person: 200, node: 200, list: 200, revoke: 200 },
  operator: { person: 403, node: 200, list: 403, revoke: 403 },
  viewer: { person: 403, node: 403, list: 403, revoke: 403 },
} as const

serverTest.for(Object.entries(MAY))(
  '%s: tokens are made, listed and revoked as the table says',
  async ([role, expected], { database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const victim = await create(server, owner.token, { kind: 'node', sessionId, name: 'victim' })
    const person = await makePerson(database)
    await addMember(database, sessionId, { person, role: role as keyof typeof MAY })
    const status = async (answering: Promise<{ status: number }>) => (await answering).status
    const make = (input: Record<string, unknown>) =>
      call(server.url, person.token, 'tokens.create', { sessionId, name: 'x', ...input })
    expect({
      person: await status(make({ kind: 'person', role: 'viewer' })),
      node: await status(make({ kind: 'node' })),
      list: await status(query(server.url, person.token, 'tokens.list', { sessionId })),
      revoke: await status(call(server.url, person.token, 'tokens.revoke', { sessionId, tokenId: victim.tokenId })),
    }).toEqual(expected)
  },
)
