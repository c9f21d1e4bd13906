import { mkdtempSync, rmSync, chmodSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashToken, migrate, openDatabase, type Database } from '@sonde/database'
import { poll, startControlPlane, startPostgres } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { chunkOf, lineAt, seedCapture, seedWorkspace, startDataLane, upload } from './capture-fixture.ts'
import { makeWorld, type World } from './procedure-world.ts'
import { openStream } from './stream-support.ts'
import { call, serverTest } from './support.ts'

/** What ends a right: the token of the caller, or the membership that it acts by. */
const revoke = async ({ db }: Database, token: string): Promise<void> => {
  await db
    .updateTable('tokens')
    .set({ revoked_at: sql`now()` })
    .where('sha256', '=', hashToken(token))
    .execute()
}
const expire = async ({ db }: Database, token: string): Promise<void> => {
  await db
    .updateTable('tokens')
    .set({ created_at: sql`now() - interval '2 hours'`, expires_at: sql`now()` })
    .where('sha256', '=', hashToken(token))
    .execute()
}
const remove = async ({ url, tokens, sessionId, participants }: World): Promise<void> => {
  const answer = await call(url, tokens.owner, 'sessions.removeMember', {
    sessionId,
    participantId: participants.operator,
  })
  expect(answer.status, answer.text).toBe(200)
}

const ENDS = {
  'a revoked token': { tail: 'auth.token_invalid', commands: 'auth.token_invalid' },
  'an expired token': { tail: 'auth.token_expired', commands: 'auth.token_expired' },
  'the end of a membership': { tail: 'capture.not_found', commands: 'runtimenode.permission_denied' },
} as const

serverTest.for(Object.entries(ENDS))(
  '%s ends the open streams of its holder within 2 s, as a fresh call is refused, and no other',
  async ([what, codes], { database, server }) => {
    const world = await makeWorld(database, server.url)
    const { tokens, nodeId, epoch, captureId } = world
    const tail = { path: 'captures.tail', input: { id: captureId } }
    await using other = await openStream(server.url, tokens.owner, tail)
    await using viewer = await openStream(server.url, tokens.operator, tail)
    const lane = { path: 'runtimeNode.commands', input: { nodeId, epoch } }
    await using commands = await openStream(server.url, tokens.node, lane)
    await Promise.all([other, viewer, commands].map((stream) => stream.first))

    const begun = performance.now()
    for (const token of [tokens.operator!, tokens.node!]) {
      if (what === 'a revoked token') await revoke(database, token)
      if (what === 'an expired token') await expire(database, token)
    }
    if (what === 'the end of a membership') await remove(world)
    expect((await viewer.error).code).toBe(codes.tail)
    expect((await commands.error).code).toBe(codes.commands)
    expect(performance.now() - begun).toBeLessThan(2_000)

    const again = await openStream(server.url, tokens.operator, tail)
    expect(await again.error).toMatchObject({ ...(await viewer.error), requestId: expect.any(String) })
    await again[Symbol.asyncDispose]()
    const seen = other.messages.length
    await database.db.updateTable('capture_segments').set({ lag_ms: 7 }).where('capture_id', '=', captureId).execute()
    await poll(() => other.messages.length > seen, { what: 'news for the viewer that may still see it' })
  },
)

dbTest.for(['a revoked token', 'a lower role'])(
  '%s cuts an export that is under way',
  async (what, { databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const { db, openStreams } = lane.resources
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    // 24 MiB of lines: more than the sockets between the two hold.
    const lines = Array.from({ length: 4_000 }, (_, index) => lineAt(1_795_500_000_000_000 + index, 'k'))
    for (let seq = 0; seq < 100; seq += 1) {
      const chunk = await chunkOf({ captureId, segmentNo: 0, seq }, lines)
      expect((await upload(lane.url, workspace.nodeToken, [chunk])).results).toMatchObject([{ outcome: 'stored' }])
    }
    const headers = { authorization: `Bearer ${workspace.personToken}` }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(`${lane.url}/export/captures/${captureId}`, { headers }, resolve).on('error', reject)
    })
    expect(response.statusCode).toBe(200)
    const ended = new Promise<string>((resolve) => {
      response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      response.once('end', () => resolve('whole'))
    })
    if (what === 'a revoked token') await revoke({ db } as Database, workspace.personToken)
    else
      await db
        .updateTable('session_memberships')
        .set({ role: 'viewer' })
        .where('session_id', '=', workspace.sessionId)
        .execute()
    const code = what === 'a revoked token' ? 'auth.token_invalid' : 'auth.role_required'
    const isCut = async () => {
      await openStreams.look()
      return lane.logs.some((line) => line['code'] === code && line['method'] === 'GET')
    }
    await poll(isCut, { what: 'the refusal in the log' })
    response.resume()
    expect(await ended).toBe('ECONNRESET')
  },
)

dbTest('while the database is away no stream is ended as if its caller were not allowed', async () => {
  const home = mkdtempSync(join(tmpdir(), 'sonde-streams-'))
  chmodSync(home, 0o755)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rmSync(home, { recursive: true, force: true }))
  const dataDir = join(home, 'postgres')
  const first = await startPostgres({ dataDir, durable: false })
  const port = Number(new URL(first.url).port)
  await migrate(first.url)
  const database = cleanup.use(openDatabase({ url: first.url, onIdleError: () => undefined }))
  const server = cleanup.use(await startControlPlane({ databaseUrl: first.url, env: { SONDE_SWEEP_MS: 'off' } }))
  const { tokens, nodeId, epoch } = await makeWorld(database, server.url)
  const lane = { path: 'runtimeNode.commands', input: { nodeId, epoch } }
  await using commands = await openStream(server.url, tokens.node, lane)
  await commands.first

  await first[Symbol.asyncDispose]()
  const failedLooks = () => server.logs.filter((line) => line['loop'] === 'streams').length
  await poll(() => failedLooks() >= 3, { what: 'looks that could not be taken', timeoutMs: 20_000 })
  cleanup.use(await startPostgres({ dataDir, durable: false, port }))
  const ready = async () => (await fetch(`${server.url}/readyz`)).status === 200
  await poll(ready, { what: 'the database to be back', timeoutMs: 20_000 })
  expect(commands.refused).toBeUndefined()
  await revoke(database, tokens.node!)
  expect((await commands.error).code).toBe('auth.token_invalid')
})
