import { ERRORS, isErrorCode, type ErrorCode, type WireError } from '@sonde/contracts'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { beat, newNodeId, tryAttach } from './node-support.ts'
import { call, makeNodeToken, makePerson, makeSession, query, serverTest, type Answer } from './support.ts'

const UNKNOWN = '01930f2e-7c1a-7a00-8000-0123456789ab'

/** A request of any shape; the answer must be JSON whatever it is. */
const raw = async (
  url: string,
  init: RequestInit,
): Promise<{ status: number; body: Record<string, unknown>; text: string }> => {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) as Record<string, unknown> }
}

const expectEnvelope = (answer: Answer, code: ErrorCode): void => {
  const { error, status, text, requestId } = answer
  expect(error?.code, text).toBe(code)
  if (!error || !isErrorCode(error.code)) return
  expect(status).toBe(ERRORS[code].http)
  expect(error.retryable).toBe(ERRORS[code].retryable)
  expect(error.requestId).toBe(requestId)
  expect(error.message.length).toBeGreaterThan(10)
  const fields = Object.keys(error).toSorted()
  expect(fields).toEqual(
    ['code', 'message', 'requestId', 'retryable', ...(error.details ? ['details'] : [])].toSorted(),
  )
  expect(JSON.parse(text)).toMatchObject({
    error: { message: error.message, data: { code: ERRORS[code].rpc, httpStatus: ERRORS[code].http } },
  })
  expect(text).not.toMatch(/stack|node_modules|\.ts:\d|at async /)
}

serverTest('a refusal has its five fields, and the status and code of the table', async ({ database, server }) => {
  const { url } = server
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const nodeToken = await makeNodeToken(database, owner, sessionId)
  const archived = await makeSession(database, owner, { state: 'archived' })
  const { token, participantId } = owner
  const cases: [ErrorCode, Answer][] = [
    ['auth.token_missing', await query(url, undefined, 'sessions.list', {})],
    ['auth.token_invalid', await query(url, `sonde_p_${'a'.repeat(43)}`, 'sessions.list', {})],
    ['auth.kind_required', await query(url, nodeToken, 'sessions.list', {})],
    ['request.invalid', await call(url, token, 'sessions.create', { name: '' })],
    ['request.invalid', await query(url, token, 'captures.list', { sessionId, cursor: 'junk' })],
    ['request.invalid', await query(url, token, 'runtimeNode.roster', { sessionId, cursor: 'junk' })],
    ['request.invalid', await query(url, token, 'sessions.list', { cursor: 'junk' })],
    ['request.not_found', await call(url, token, 'sessions.nothing', {})],
    ['request.not_found', await query(url, token, 'nothing.at.all', {})],
    ['request.method_not_allowed', await query(url, token, 'sessions.create', { name: 'x' })],
    ['session.not_found', await query(url, token, 'sessions.get', { sessionId: UNKNOWN })],
    ['session.not_active', await tryAttach({ url, owner }, { sessionId: archived, nodeId: newNodeId() })],
    ['session.last_owner', await call(url, token, 'sessions.removeMember', { sessionId, participantId })],
    ['token.not_found', await call(url, token, 'tokens.revoke', { sessionId, tokenId: UNKNOWN })],
    ['runtimenode.permission_denied', await beat({ url, owner }, { nodeId: newNodeId() })],
    ['auth.principal_mismatch', await tryAttach({ url, owner }, { sessionId, nodeId: 'x', participantId: UNKNOWN })],
  ]
  for (const [code, answer] of cases) expectEnvelope(answer, code)
})

serverTest(
  'the request id is the one that was sent, in the header and in the body, or a new one',
  async ({ server }) => {
    const send = async (id: string | undefined) => {
      const response = await fetch(`${server.url}/trpc/sessions.list`, {
        headers: id === undefined ? {} : { 'x-request-id': id },
      })
      const body = (await response.json()) as { error: { data: { sondeError: { requestId: string } } } }
      const header = response.headers.get('x-request-id')
      expect(body.error.data.sondeError.requestId).toBe(header)
      return header
    }
    expect(await send('night-shift_0042')).toBe('night-shift_0042')
    const made = [await send(undefined), await send('too short'), await send('x'.repeat(65))]
    expect(new Set(made).size).toBe(3)
    for (const id of made) expect(id).toMatch(/^[0-9a-f-]{36}$/)
  },
)

serverTest('a refusal is logged under its request id', async ({ server }) => {
  await fetch(`${server.url}/trpc/sessions.list`, { headers: { 'x-request-id': 'to-be-found-again' } })
  await expect
    .poll(() => server.logs.filter((line) => line['requestId'] === 'to-be-found-again'))
    .toMatchObject([{ code: 'auth.token_missing', procedure: 'sessions.list', msg: 'refused' }])
})

serverTest('bodies that are no JSON, or too large, are refused in the same form', async ({ database, server }) => {
  const { token } = await makePerson(database)
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  const send = (body: string) => raw(`${server.url}/trpc/sessions.create`, { method: 'POST', headers, body })
  const sondeError = ({ body }: { body: Record<string, unknown> }) =>
    (body as { error?: { data?: { sondeError?: unknown } } }).error?.data?.sondeError
  for (const text of ['{"name":', 'null and more', '', '[]', '"text"', '\ud800']) {
    const answer = await send(text)
    expect(answer.status, text).toBe(400)
    expect(sondeError(answer), text).toMatchObject({ code: 'request.invalid', retryable: false })
    if (text.startsWith('null and') || text.startsWith('{')) {
      expect(sondeError(answer)).toMatchObject({ message: 'The input of the call is not JSON.' })
    }
    expect(answer.text).not.toMatch(/stack|node_modules|\.ts:\d/)
  }
  const large = await send(JSON.stringify({ name: 'x'.repeat(3 * 1024 * 1024) }))
  expect(large.status).toBe(413)
  expect(sondeError(large)).toMatchObject({ code: 'request.too_large', retryable: false })
})

serverTest(
  'what is wrong with a call is told in words: its input, its content type, its fields',
  async ({ database, server }) => {
    const { token } = await makePerson(database)
    const headers = { authorization: `Bearer ${token}` }
    const url = `${server.url}/trpc`
    const messageOf = async (path: string, init: RequestInit) => {
      const { body } = await raw(`${url}/${path}`, init)
      return (body as { error: { data: { sondeError: WireError } } }).error.data.sondeError.message
    }
    expect(await messageOf('sessions.list?input=%7B', { headers })).toBe('The input of the call is not JSON.')
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
    expect(await messageOf('sessions.create', { method: 'POST', headers: form, body: 'name=x' })).toBe(
      'The body of a call is sent with the content type application/json.',
    )
    const start = { sessionId: 'x', scope: { kind: 'all' }, require: 'most', durationMs: 1, reason: ' ', speed: 1 }
    const { error } = await call(server.url, token, 'captures.start', start)
    expect(error).toMatchObject({
      message: 'The request is not valid: sessionId must be a UUID (and 5 more).',
      details: {
        issues: [
          { path: 'sessionId', message: 'must be a UUID' },
          { path: 'scope.kind', message: 'must be one of targets, cluster, primaries, replicas' },
          { path: 'require', message: 'must be one of all, quorum, any, or must be a number' },
          { path: 'durationMs', message: 'must be at least 500' },
          { path: 'reason', message: 'must have a non-blank character' },
          { path: '', message: 'must not have "speed", which is not known here' },
        ],
      },
    })
    const few = await call(server.url, token, 'tokens.create', { kind: 'node', name: 'x'.repeat(200), ttlMs: 1.5 })
    expect(few.error?.details).toEqual({
      issues: [
        { path: 'sessionId', message: 'is missing' },
        { path: 'name', message: 'must have at most 128 characters' },
        { path: 'ttlMs', message: 'must be a whole number' },
      ],
    })
  },
)

serverTest('a method that is not taken is refused with those that are', async ({ server }) => {
  const { url } = server
  for (const method of ['OPTIONS', 'DELETE', 'PUT', 'PATCH']) {
    for (const path of ['/trpc', '/trpc/', '/trpc/sessions.list', '/livez', '/data/chunks']) {
      const response = await fetch(url + path, { method })
      const allow = path === '/livez' ? 'GET, HEAD' : path.startsWith('/trpc') ? 'GET, POST' : 'POST'
      expect([response.status, response.headers.get('allow')], `${method} ${path}`).toEqual([405, allow])
      expect(await response.json()).toMatchObject({
        error: { code: 'request.method_not_allowed', details: { allowed: allow.split(', ') } },
      })
    }
  }
  const head = await fetch(`${url}/livez`, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', ''])
  expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(401)
})

serverTest('a route that is not there answers in the form of the routes', async ({ server }) => {
  const nothing = await raw(`${server.url}/data/nothing`, { method: 'POST' })
  expect(nothing).toMatchObject({ status: 404, body: { error: { code: 'request.not_found', retryable: false } } })
  const odd = await raw(`${server.url}/livez`, { method: 'POST' })
  expect(odd).toMatchObject({ status: 405, body: { error: { code: 'request.method_not_allowed' } } })
  const page = await raw(`${server.url}/trpc/sessions.list`, { headers: { origin: 'https://elsewhere.example' } })
  expect(page).toMatchObject({ status: 403, body: { error: { code: 'auth.origin_refused' } } })
})

serverTest(
  'an error of the database that nobody expected is 500 with nothing of it in the answer',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await sql`create function planted() returns trigger language plpgsql as $$
    begin raise foreign_key_violation using message = 'planted secret', constraint = 'planted_fkey'; end $$`.execute(
      database.db,
    )
    await sql`create trigger planted before insert on runtime_node_attachments execute function planted()`.execute(
      database.db,
    )
    const answer = await tryAttach({ url: server.url, owner }, { sessionId, nodeId: newNodeId() })
    await sql`drop trigger planted on runtime_node_attachments`.execute(database.db)
    expectEnvelope(answer, 'internal.unexpected')
    expect(answer.text).not.toContain('planted')
    expect(answer.error?.message).toBe(ERRORS['internal.unexpected'].message)
    const { rows } = await sql`select 1 from runtime_nodes`.execute(database.db)
    expect(rows).toEqual([])
  },
)
