import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@sonde/client'
import { poll, startControlPlane } from '@sonde/testing'
import { expect, vi } from 'vitest'
import { ENV, nodeTest, rosterOf, startNode, type Db, type Started } from '../test/support.ts'
import type { RuntimeNodeOptions } from './node-api.ts'
import { loadNodeKey, loadOrCreateNodeKey } from './node-key.ts'

// Threads and a second control plane, on a machine that may be busy.
vi.setConfig({ testTimeout: 90_000 })

const test = nodeTest.extend('stateDir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-key-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
})

type Session = { ownerToken: string; sessionId: string }

const enrollmentFor = async (url: string, { ownerToken, sessionId }: Session, name = 'rack-7') => {
  await using owner = createClient({ url, token: ownerToken })
  const { token } = await owner.rpc.runtimeNode.createEnrollment.mutate({ sessionId, name })
  return { token, name }
}

const revoke = async (url: string, { ownerToken, sessionId }: Session, nodeId: string): Promise<number> => {
  await using owner = createClient({ url, token: ownerToken })
  await owner.rpc.runtimeNode.revoke.mutate({ sessionId, nodeId })
  return performance.now()
}

/** A node that enrolls with the key of the directory. */
const startEnrolling = async (
  url: string,
  session: Session,
  { stateDir, ...options }: { stateDir: string } & Pick<Partial<RuntimeNodeOptions>, 'lane' | 'clientVersion'>,
): Promise<Started> => {
  const key = { ...loadOrCreateNodeKey(stateDir), enrollment: await enrollmentFor(url, session) }
  return startNode({ url, key, ...options })
}

/** A connection of the node's that does nothing: it ends only when the control plane ends it. */
const openLane = async (url: string, { events }: Started) => {
  const closed = Promise.withResolvers<number>()
  const token = events.credential.at(-1)?.token ?? ''
  const client = createClient({ url, token, onClose: () => closed.resolve(performance.now()) })
  await client.rpc.tokens.self.query()
  return { closedAt: closed.promise, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}

/** By the clock of this machine, which is the database's too. */
const inMinutes = (minutes: number): Date => new Date(Date.now() + minutes * 60_000)

/** Moves the life of all tokens of a node, so that so many minutes of their hour are over. */
const age = (db: Db, nodeId: string, minutes: number) =>
  db
    .updateTable('tokens')
    .set({
      created_at: inMinutes(-minutes),
      expires_at: inMinutes(60 - minutes),
    })
    .where('node_id', '=', nodeId)
    .execute()

test.for(['worker', 'inline'] as const)(
  'a node with a key and no token enrolls (%s), and comes back by its key alone',
  async (lane, { plane, session, stateDir }) => {
    const { nodeId } = await (async () => {
      await using first = await startEnrolling(plane.url, session, { stateDir, lane })
      await first.heard('online')
      expect(first.told.slice(0, 2)).toEqual(['credential', 'attached'])
      expect(first.events.credential[0]?.token).toMatch(/^sonde_n_/)
      return first
    })()
    expect(statSync(join(stateDir, 'node-key.pem')).mode & 0o777).toBe(0o600)
    const key = loadNodeKey(stateDir)
    expect(key).toEqual({ pem: readFileSync(join(stateDir, 'node-key.pem'), 'utf8'), isNew: false })
    await using second = startNode({ url: plane.url, nodeId, key: key!, lane })
    await second.heard('online')
    // A service file goes on naming the enrollment token.
    await second.node.stop()
    const used = { ...key!, enrollment: { token: `sonde_e_${'a'.repeat(43)}`, name: 'rack-7' } }
    await using third = startNode({ url: plane.url, nodeId, key: used, lane })
    await third.heard('online')
  },
)

test('a node that is not taken in is told why, and stops', async ({ plane, session, stateDir }) => {
  const enrollment = await enrollmentFor(plane.url, session)
  await using first = startNode({ url: plane.url, key: { ...loadOrCreateNodeKey(stateDir), enrollment } })
  await first.heard('online')
  const other = mkdtempSync(join(stateDir, 'other-'))
  await using second = startNode({ url: plane.url, key: { ...loadOrCreateNodeKey(other), enrollment } })
  expect(await second.heard('revoked')).toMatchObject({ code: 'enrollment.used' })
  await using stranger = startNode({ url: plane.url, key: loadOrCreateNodeKey(mkdtempSync(join(stateDir, 'none-'))) })
  expect(await stranger.heard('revoked')).toMatchObject({ code: 'auth.proof_invalid' })
  expect([second.node.state, stranger.node.state]).toEqual(['revoked', 'revoked'])
})

test('beats bring a new credential at half-life, and the connection outlives the one that it began with', async ({
  plane,
  session,
  stateDir,
  database: { db },
}) => {
  await using started = await startEnrolling(plane.url, session, { stateDir })
  const { nodeId } = started
  await started.heard('online')
  await age(db, nodeId, 31)
  const renewed = await started.heard('credential', 2)
  expect(renewed.token).not.toBe(started.events.credential[0]?.token)
  // Only the first one ends.
  await db
    .updateTable('tokens')
    .set({ expires_at: inMinutes(0) })
    .where('node_id', '=', nodeId)
    .where('expires_at', '<', inMinutes(40))
    .execute()
  const beats = started.events.credit.length
  await started.heard('credit', beats + 10)
  expect(started.events.credential).toHaveLength(2)
  expect(started.told).not.toContain('disconnected')
  expect(started.events.attached).toHaveLength(1)
})

test('a node whose credential ended while it was away proves its key, and goes on in the same epoch', async ({
  plane,
  session,
  stateDir,
  database: { db },
}) => {
  await using started = await startEnrolling(plane.url, session, { stateDir, clientVersion: '1.0' })
  const { nodeId } = started
  await started.heard('online')
  const { epoch } = started.node
  await age(db, nodeId, 61)
  await started.heard('credential', 2)
  await started.heard('online', 2)
  const beats = started.events.credit.length
  await started.heard('credit', beats + 3)
  expect({ epoch: started.node.epoch, attached: started.events.attached.length, state: started.node.state }).toEqual({
    epoch,
    attached: 1,
    state: 'running',
  })
  expect(await rosterOf(plane.url, session, nodeId)).toMatchObject({ state: 'online', epoch })
})

test('a revocation at another replica closes the lane within a second; the node says so and stops', async ({
  plane,
  session,
  stateDir,
  databaseUrl,
}) => {
  await using other = await startControlPlane({ databaseUrl, env: ENV })
  await using started = await startEnrolling(plane.url, session, { stateDir })
  await started.heard('online')
  const lines = plane.logs.length
  await using lane = await openLane(plane.url, started)
  const revokedAt = await revoke(other.url, session, started.nodeId)
  expect((await lane.closedAt) - revokedAt).toBeLessThan(1_000)
  expect(await started.heard('revoked')).toMatchObject({ code: 'runtimenode.attach_revoked' })
  expect(started.node.state).toBe('revoked')
  await poll(() => plane.logs.length > lines, { what: 'the refusal in the log' })
  const after = plane.logs.length
  // Three periods of beats: a node that went on would be seen.
  await using another = startNode({ url: plane.url, token: session.nodeToken })
  await another.heard('credit', 3)
  const refusals = plane.logs.slice(lines).filter(({ msg }) => msg === 'refused')
  expect(refusals.length).toBeLessThanOrEqual(6)
  expect(
    plane.logs.slice(after).filter(({ msg, code }) => msg === 'refused' && code === 'runtimenode.attach_revoked'),
  ).toEqual([])
  await using again = startNode({ url: plane.url, nodeId: started.nodeId, key: loadNodeKey(stateDir)! })
  expect(await again.heard('revoked')).toMatchObject({ code: 'runtimenode.attach_revoked' })
})

test('a revocation whose notification is lost closes the lane within a second all the same', async ({
  plane,
  session,
  stateDir,
  database: { db },
}) => {
  await using started = await startEnrolling(plane.url, session, { stateDir })
  await started.heard('online')
  await using lane = await openLane(plane.url, started)
  // Like a revoke, but nobody is notified.
  await db.transaction().execute(async (trx) => {
    const { nodeId } = started
    const set = { state: 'revoked', updated_at: inMinutes(0), ended_at: inMinutes(0) } as const
    await trx.updateTable('runtime_node_attachments').set(set).where('node_id', '=', nodeId).execute()
    const ended = { revoked_at: inMinutes(0), node_revoked: true }
    await trx.updateTable('tokens').set(ended).where('node_id', '=', nodeId).execute()
  })
  const revokedAt = performance.now()
  expect((await lane.closedAt) - revokedAt).toBeLessThan(1_000)
  expect(await started.heard('revoked')).toMatchObject({ code: 'runtimenode.attach_revoked' })
})

test('a drain is told with each beat until the node has left', async ({ plane, session }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken })
  await started.heard('online')
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  const deadline = new Date(Date.now() + 1_000).toISOString()
  const { sessionId } = session
  await owner.rpc.runtimeNode.drain.mutate({
    sessionId,
    nodeId: started.nodeId,
    deadline,
    onDeadline: 'stop',
    force: true,
  })
  expect(await started.heard('drain')).toEqual({ mode: 'finish' })
  await poll(() => started.events.drain.some(({ mode }) => mode === 'stop'), { what: 'the deadline' })
  expect(started.events.drain.findIndex(({ mode }) => mode === 'stop')).toBeGreaterThan(1)
})
