import { once } from 'node:events'
import { CLIENT_HEADER } from '@sonde/contracts'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { refusalOf, signIn } from '../../test/sign-in-support.ts'
import { makePerson, makeSession, serverTest } from '../../test/support.ts'

const post = (url: string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${url}/trpc/sessions.create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name: 'forged' }),
  })

/** What becomes of an upgrade: `open` with the socket, or the status of the refusal. */
const upgrade = async (url: string, headers: Record<string, string>): Promise<WebSocket | number> => {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/trpc`, { headers })
  socket.on('error', () => undefined)
  return Promise.race([
    once(socket, 'open').then(() => socket),
    once(socket, 'unexpected-response').then(([, response]) => (response as { statusCode: number }).statusCode),
  ])
}

serverTest('the cookie signs queries and mutations in', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const { cookie, headers } = await signIn(url, person)
  const self = await fetch(`${url}/trpc/tokens.self`, { headers: { cookie: `theme=dark; ${cookie}; x=1` } })
  expect(await self.json()).toMatchObject({ result: { data: { participantId: person.participantId } } })
  expect((await post(url, headers)).status).toBe(200)
})

serverTest('a forged call by cookie is refused and changes nothing', async ({ database, server }) => {
  const { url } = server
  const person = await makePerson(database)
  const { cookie, headers } = await signIn(url, person)
  const { [CLIENT_HEADER]: client, ...withoutHeader } = headers
  expect(client).toBe('console')
  const forged: Record<string, string>[] = [
    { cookie },
    withoutHeader,
    { ...headers, origin: 'https://evil.example' },
    { ...headers, origin: 'null' },
    // Another port of the same host is the same site, so the browser sends the cookie.
    { ...headers, origin: 'http://127.0.0.1:1' },
    { ...withoutHeader, 'content-type': 'text/plain' },
  ]
  for (const each of forged) {
    const response = await post(url, each)
    expect(response.status, JSON.stringify(each)).toBe(403)
    expect(await refusalOf(response)).toBe('auth.origin_refused')
  }
  const byGet = await fetch(`${url}/trpc/sessions.create?input=${encodeURIComponent('{"name":"forged"}')}`, {
    headers: { cookie },
  })
  expect(byGet.status).toBe(405)
  const rows = await database.db
    .selectFrom('sessions')
    .select('id')
    .where('created_by', '=', person.participantId)
    .execute()
  expect(rows).toEqual([])
  expect((await fetch(`${url}/sign-out`, { method: 'POST', headers: { cookie } })).status).toBe(403)
  expect((await fetch(`${url}/trpc/tokens.self`, { headers: { cookie } })).status).toBe(200)
})

serverTest('a bearer token wins over a cookie and needs no header', async ({ database, server }) => {
  const { url } = server
  const [person, other] = [await makePerson(database), await makePerson(database)]
  const { cookie } = await signIn(url, other)
  const authorization = `Bearer ${person.token}`
  const response = await fetch(`${url}/trpc/tokens.self`, { headers: { authorization, cookie } })
  expect(await response.json()).toMatchObject({ result: { data: { participantId: person.participantId } } })
  expect((await post(url, { authorization, cookie })).status).toBe(200)
  const bad = await fetch(`${url}/trpc/tokens.self`, { headers: { authorization: 'Bearer nothing', cookie } })
  expect(await refusalOf(bad)).toBe('auth.token_invalid')
})

serverTest(
  'a WebSocket by cookie opens for a page of this host alone, and signs its calls in',
  async ({ database, server }) => {
    const { url } = server
    const person = await makePerson(database)
    const sessionId = await makeSession(database, person)
    const { cookie } = await signIn(url, person)
    for (const headers of [
      { cookie },
      { cookie, origin: 'https://evil.example' },
      { cookie, origin: 'null' },
      { cookie, origin: 'http://127.0.0.1:1' },
      { cookie, origin: `${url}.evil.example` },
    ]) {
      expect(await upgrade(url, headers), JSON.stringify(headers)).toBe(403)
    }
    const socket = await upgrade(url, { cookie, origin: url })
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`)
    const answer = once(socket, 'message') as Promise<[Buffer]>
    const params = { path: 'sessions.get', input: { sessionId } }
    socket.send(JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'query', params }))
    const [message] = await answer
    expect(JSON.parse(message.toString())).toMatchObject({ id: 1, result: { data: { id: sessionId, role: 'owner' } } })

    expect(
      (await fetch(`${url}/sign-out`, { method: 'POST', headers: { cookie, origin: url, [CLIENT_HEADER]: 'x' } }))
        .status,
    ).toBe(204)
    const codeNow = async () => {
      const next = once(socket, 'message') as Promise<[Buffer]>
      socket.send(JSON.stringify({ id: 2, jsonrpc: '2.0', method: 'query', params }))
      const [text] = await next
      const body = JSON.parse(text.toString()) as { error?: { data: { sondeError: { code: string } } } }
      return body.error?.data.sondeError.code
    }
    await expect.poll(codeNow, { timeout: 3_000, interval: 50 }).toBe('auth.token_invalid')
    socket.terminate()
  },
)
