import { SIGN_IN_TOKEN_TTL_MS } from '@sonde/contracts'
import { hashToken } from '@sonde/database'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { exchange, makeCode, refusalOf, signIn } from '../../test/sign-in-support.ts'
import { call, makeNodeToken, makePerson, makeSession, serverTest } from '../../test/support.ts'

serverTest('a code is exchanged for a token of its own that lives in a cookie', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const response = await exchange(url, await makeCode(url, person))
  expect(response.status).toBe(200)
  const [cookie = '', ...others] = response.headers.getSetCookie()
  expect(others).toEqual([])
  expect(cookie).toMatch(/^sonde=sonde_p_[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/)
  expect(response.headers.get('cache-control')).toBe('no-store')
  const text = await response.text()
  const token = /sonde=([^;]+)/.exec(cookie)?.[1] ?? ''
  expect(text).not.toContain(token)
  expect(token).not.toBe(person.token)
  const { expiresAt } = JSON.parse(text) as { expiresAt: string }
  expect(Math.abs(new Date(expiresAt).getTime() - Date.now() - SIGN_IN_TOKEN_TTL_MS)).toBeLessThan(60_000)
  const stored = await database.db
    .selectFrom('tokens')
    .select(['kind', 'participant_id', 'session_id', 'revoked_at'])
    .where('sha256', '=', hashToken(token))
    .executeTakeFirstOrThrow()
  expect(stored).toEqual({
    kind: 'person',
    participant_id: person.participantId,
    session_id: null,
    revoked_at: null,
  })
})

serverTest('behind TLS the cookie stays on TLS', async ({ database, server }) => {
  const person = await makePerson(database)
  const headers = { 'content-type': 'application/json', 'x-forwarded-proto': 'https, http' }
  const response = await exchange(server.url, await makeCode(server.url, person), { headers })
  expect(response.headers.getSetCookie()[0]).toMatch(/; Secure$/)
})

serverTest('of 16 exchanges of one code at once exactly one wins', async ({ database, server }) => {
  const person = await makePerson(database)
  for (let round = 0; round < 5; round += 1) {
    const code = await makeCode(server.url, person)
    const answers = await Promise.all(Array.from({ length: 16 }, () => exchange(server.url, code)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(15).fill(401)])
    const codes = await Promise.all(answers.filter(({ status }) => status === 401).map(refusalOf))
    expect(new Set(codes)).toEqual(new Set(['auth.code_invalid']))
  }
  const { count } = await database.db
    .selectFrom('tokens')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('participant_id', '=', person.participantId)
    .where('name', '=', 'console')
    .executeTakeFirstOrThrow()
  expect(count).toBe(5)
})

serverTest('a bad, a used and an expired code are refused in the same words', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const used = await makeCode(url, person)
  expect((await exchange(url, used)).status).toBe(200)
  const expired = await makeCode(url, person)
  await database.db
    .updateTable('sign_in_codes')
    .set({ expires_at: sql<Date>`now()` })
    .where('sha256', '=', hashToken(expired))
    .execute()
  const texts = await Promise.all(
    [used, expired, 'x'.repeat(43), '', 'x', person.token].map(async (code) => {
      const response = await exchange(url, code)
      expect(response.status).toBe(401)
      expect(response.headers.getSetCookie()).toEqual([])
      const body = (await response.json()) as { error: { requestId: string } }
      return JSON.stringify(body).replace(body.error.requestId, '')
    }),
  )
  expect(new Set(texts).size).toBe(1)
  expect(texts[0]).toContain('auth.code_invalid')
})

serverTest(
  'codes are stored as hashes, and expired ones go when their person asks for another',
  async ({ database, server }) => {
    const person = await makePerson(database)
    const code = await makeCode(server.url, person)
    const rows = () =>
      database.db.selectFrom('sign_in_codes').selectAll().where('participant_id', '=', person.participantId).execute()
    const [row, second] = await rows()
    expect(second).toBeUndefined()
    expect(row?.sha256.equals(hashToken(code))).toBe(true)
    expect(row!.expires_at.getTime() - row!.created_at.getTime()).toBe(600_000)
    await database.db
      .updateTable('sign_in_codes')
      .set({ expires_at: sql<Date>`now()` })
      .where('participant_id', '=', person.participantId)
      .execute()
    await makeCode(server.url, person)
    expect(await rows()).toHaveLength(1)
    expect(JSON.stringify(server.logs)).not.toContain(code)
  },
)

serverTest('nodes make no codes, and nobody does without a token', async ({ database, server }) => {
  const person = await makePerson(database)
  const sessionId = await makeSession(database, person)
  const nodeToken = await makeNodeToken(database, person, sessionId)
  expect((await call(server.url, nodeToken, 'signIn.createCode', undefined)).error?.code).toBe('auth.kind_required')
  expect((await call(server.url, undefined, 'signIn.createCode', undefined)).error?.code).toBe('auth.token_missing')
  const asked = { participantId: (await makePerson(database)).participantId }
  await call(server.url, person.token, 'signIn.createCode', asked)
  const rows = await database.db
    .selectFrom('sign_in_codes')
    .select('participant_id')
    .where('participant_id', '=', asked.participantId)
    .execute()
  expect(rows).toEqual([])
})

serverTest('an exchange in another form is refused before the code is looked at', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const code = await makeCode(url, person)
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ code })
  const refusal = async (init: RequestInit) => refusalOf(await exchange(url, code, init))
  expect(await refusal({ headers: { ...json, origin: 'https://evil.example' } })).toBe('auth.origin_refused')
  expect(await refusal({ headers: { ...json, origin: 'null' } })).toBe('auth.origin_refused')
  expect(await refusal({ headers: { 'content-type': 'text/plain' } })).toBe('request.invalid')
  expect(await refusal({ headers: { 'content-type': 'application/x-www-form-urlencoded' } })).toBe('request.invalid')
  expect(await refusal({ body: `{"code":"${code}"` })).toBe('request.invalid')
  expect(await refusal({ body: JSON.stringify({ code, more: 1 }) })).toBe('request.invalid')
  expect(await refusal({ body: `${body}${' '.repeat(1024)}` })).toBe('request.too_large')
  expect((await fetch(`${url}/sign-in`)).status).toBe(405)
  expect((await exchange(url, code)).status).toBe(200)
})

serverTest('signing out ends the token within a second and takes the cookie back', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const browser = await signIn(url, person)
  const other = await signIn(url, person)
  const self = ({ headers }: { headers: Record<string, string> }) => fetch(`${url}/trpc/tokens.self`, { headers })
  expect((await self(browser)).status).toBe(200)
  const response = await fetch(`${url}/sign-out`, { method: 'POST', headers: browser.headers })
  const signedOut = performance.now()
  expect(response.status).toBe(204)
  expect(response.headers.getSetCookie()).toEqual(['sonde=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0'])
  await expect.poll(async () => (await self(browser)).status, { timeout: 3_000, interval: 20 }).toBe(401)
  expect(performance.now() - signedOut).toBeLessThan(1_200)
  expect((await self(other)).status).toBe(200)
  const again = await fetch(`${url}/sign-out`, { method: 'POST', headers: browser.headers })
  expect(again.status).toBe(204)
})
