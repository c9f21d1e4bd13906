import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chmodSync } from 'node:fs'
import { createOwnerToken, migrate, openDatabase } from '@sonde/database'
import { poll, startControlPlane, startPostgres } from '@sonde/testing'
import { expect } from 'vitest'
import { call, makePerson, query, serverTest as test } from './support.ts'

const get = (url: string, path: string, token?: string): Promise<Response> =>
  fetch(url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })

test('a healthy service is alive and ready, and says how it is woken', async ({ server }) => {
  const live = await get(server.url, '/livez')
  expect(live.status).toBe(200)
  expect(await live.json()).toMatchObject({ live: true })
  const ready = await get(server.url, '/readyz')
  expect(ready.status).toBe(200)
  expect(await ready.json()).toEqual({ ready: true, database: true, draining: false, wakeUps: 'listen' })
})

test('metrics need a token, count calls by procedure and code, and hold no id', async ({ server, database }) => {
  const person = await makePerson(database)
  expect((await get(server.url, '/metrics')).status).toBe(401)
  await query(server.url, person.token, 'sessions.list', {})
  await query(server.url, person.token, 'sessions.get', { sessionId: person.participantId })
  const metrics = await get(server.url, '/metrics', person.token)
  expect(metrics.headers.get('content-type')).toContain('text/plain')
  const text = await metrics.text()
  expect(text).toMatch(/rpc_duration_seconds_count\{procedure="sessions.list",code="ok"\} \d/)
  expect(text).toMatch(/rpc_duration_seconds_count\{procedure="sessions.get",code="session.not_found"\} 1/)
  expect(text).not.toContain(person.participantId)
})

test('each answered call is one log line with its request id, and no line holds a token', async ({
  server,
  database,
}) => {
  const person = await makePerson(database)
  const response = await fetch(`${server.url}/trpc/sessions.create`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${person.token}`,
      'content-type': 'application/json',
      'x-request-id': 'given-by-the-caller-1',
    },
    body: JSON.stringify({ name: 'logged' }),
  })
  expect(response.headers.get('x-request-id')).toBe('given-by-the-caller-1')
  const lines = await poll(
    () => {
      const found = server.logs.filter((line) => line['requestId'] === 'given-by-the-caller-1')
      return found.length > 0 && found
    },
    { what: 'the log line' },
  )
  expect(lines).toMatchObject([{ procedure: 'sessions.create', type: 'mutation', msg: 'answered' }])
  expect(JSON.stringify(server.logs)).not.toContain(person.token)
})

test('without its database the service stays alive, is not ready, answers a typed retryable error, and comes back', async () => {
  const home = mkdtempSync(join(tmpdir(), 'sonde-health-'))
  chmodSync(home, 0o755)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rmSync(home, { recursive: true, force: true }))
  const dataDir = join(home, 'postgres')
  const first = await startPostgres({ dataDir, durable: false })
  const port = Number(new URL(first.url).port)
  await migrate(first.url)
  const database = openDatabase({ url: first.url })
  const owner = await createOwnerToken(database.db, { name: 'owner' })
  await database[Symbol.asyncDispose]()
  const server = cleanup.use(await startControlPlane({ databaseUrl: first.url }))
  expect((await query(server.url, owner.token, 'sessions.list', {})).status).toBe(200)

  await first[Symbol.asyncDispose]()
  await poll(async () => (await get(server.url, '/readyz')).status === 503, { what: 'not ready', timeoutMs: 5_000 })
  expect((await get(server.url, '/livez')).status).toBe(200)
  const refused = await call(server.url, owner.token, 'sessions.create', { name: 'while down' })
  expect(refused.status).toBe(503)
  expect(refused.error).toMatchObject({ code: 'database.unavailable', retryable: true })

  cleanup.use(await startPostgres({ dataDir, durable: false, port }))
  await poll(async () => (await get(server.url, '/readyz')).status === 200, { what: 'ready again', timeoutMs: 10_000 })
  expect((await call(server.url, owner.token, 'sessions.create', { name: 'after' })).status).toBe(200)
})

/** A request whose last line is not sent yet, so that the server has it under way for as long as a test wants. */
const begin = async (url: string, path: string, token?: string): Promise<() => Promise<string>> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const answer = textOf(socket)
  answer.catch(() => undefined)
  await once(socket, 'connect')
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  socket.write(`GET ${path} HTTP/1.1\r\nhost: sonde\r\nconnection: close\r\n${authorization}`)
  return () => {
    socket.write('\r\n')
    return answer
  }
}

test('SIGTERM answers what is under way, closes the rest and ends with exit code 0', async ({
  databaseUrl,
  database,
}) => {
  const person = await makePerson(database)
  const server = await startControlPlane({ databaseUrl, env: { SONDE_DRAIN_WAIT_MS: '5000' } })
  const finishReady = await begin(server.url, '/readyz')
  const finishList = await begin(server.url, '/trpc/sessions.list?input=%7B%7D', person.token)
  const stopped = server.stop()
  await poll(() => server.logs.some((line) => line['msg'] === 'draining'), { what: 'draining', timeoutMs: 15_000 })
  // Callers whose balancer has not looked yet still come, and are answered.
  expect((await query(server.url, person.token, 'sessions.list', {})).status).toBe(200)
  const ready = await finishReady()
  expect(ready).toMatch(/^HTTP\/1.1 503 /)
  expect(ready).toContain('"draining":true')
  expect(await finishList()).toMatch(/^HTTP\/1.1 200 /)
  expect(await stopped).toBe(0)
  await expect(get(server.url, '/livez')).rejects.toThrow('fetch failed')
})

test('a taken port and a bad setting stop the start with one line that names the setting', async ({
  server,
  databaseUrl,
}) => {
  const port = Number(new URL(server.url).port)
  await expect(startControlPlane({ databaseUrl, port })).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is in use. Stop what uses it, or set SONDE_PORT to another port.`,
  )
  await expect(startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'soon' } })).rejects.toThrow('SONDE_SWEEP_MS')
})
