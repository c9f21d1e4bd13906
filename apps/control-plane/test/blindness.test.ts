import type { Database } from '@sonde/database'
import { poll, startControlPlane, startFaultProxy, type ControlPlaneProcess } from '@sonde/testing'
import { createTestDatabase } from '@sonde/testing/db-test'
import { openDatabase } from '@sonde/database'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { OFFLINE_MS, offlineVerdicts, rosterOf, SCALED, SLACK_MS, startFleet, type Fleet } from './fleet-support.ts'
import { makePerson, makeSession, type Person } from './support.ts'

/** Longer than the limit of offline, as 120 s are at full scale to 60 s. */
const PAUSE_MS = 2 * OFFLINE_MS

interface Scene {
  server: ControlPlaneProcess
  database: Database
  fleet: Fleet
  caller: { url: string; owner: Person }
  sessionId: string
}

/** A control plane with twelve beating nodes, of which the last two die for good. */
const startScene = async (scope: AsyncDisposableStack, proxied: boolean) => {
  const created = scope.use(await createTestDatabase())
  const database = scope.use(openDatabase({ url: created.url }))
  const direct = new URL(created.url)
  const proxy = scope.use(await startFaultProxy({ host: direct.hostname, port: Number(direct.port) }))
  const through = new URL(created.url)
  through.host = `127.0.0.1:${proxy.port}`
  // The breaker would hide a guard that fails.
  const env = { ...SCALED, SONDE_BREAKER_NODES: '1000' }
  const databaseUrl = proxied ? through.href : created.url
  const server = scope.use(await startControlPlane({ databaseUrl, env }))
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const fleet = scope.use(await startFleet(caller, { sessionId, size: 12 }))
  return { server, database, fleet, caller, sessionId, proxy }
}

/** Silences two nodes, makes the service blind, and checks that only these two are reported, and in time. */
const judgeBlindness = async (scene: Scene, blind: () => Promise<void>): Promise<void> => {
  const { database, fleet, caller, sessionId } = scene
  const [dead, alive] = [fleet.nodeIds.slice(10), fleet.nodeIds.slice(0, 10)]
  fleet.silence(dead)
  await blind()
  const sightedAt = performance.now()
  const seen = new Set<string | null>()
  const found = await poll(
    async () => {
      const roster = await rosterOf(caller, sessionId).catch(() => undefined)
      for (const id of alive) if (roster) seen.add(roster.get(id)?.liveness ?? null)
      const verdicts = await offlineVerdicts(database, fleet.nodeIds)
      return verdicts.length >= dead.length && verdicts
    },
    { what: 'the verdicts on the dead', everyMs: 25, timeoutMs: 3 * OFFLINE_MS },
  )
  expect(performance.now() - sightedAt).toBeLessThan(OFFLINE_MS + SLACK_MS)
  expect(found.map(({ nodeId }) => nodeId).toSorted()).toEqual(dead.toSorted())
  // Until the living would have been condemned too, had the pause been held against them.
  await sleep(OFFLINE_MS)
  expect((await offlineVerdicts(database, fleet.nodeIds)).map(({ nodeId }) => nodeId).toSorted()).toEqual(
    dead.toSorted(),
  )
  expect(seen.has('offline')).toBe(false)
  const roster = await rosterOf(caller, sessionId)
  expect(alive.map((id) => roster.get(id)?.liveness)).toEqual(alive.map(() => 'online'))
}

const readyAt = async ({ db }: Database): Promise<number> => {
  const { rows } = await sql<{
    at: number
  }>`select extract(epoch from ready_at)::float8 as at from service_state`.execute(db)
  return rows[0]?.at ?? -1
}

test('a control plane that was stopped for twice the limit holds that time against nobody', async () => {
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(scope, false)
  await judgeBlindness(scene, async () => {
    await scene.server.kill('SIGSTOP')
    await sleep(PAUSE_MS)
    await scene.server.kill('SIGCONT')
  })
  expect(await readyAt(scene.database)).toBeGreaterThan(0)
})

test('a database that was gone for twice the limit holds that time against nobody', async () => {
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(scope, true)
  await judgeBlindness(scene, async () => {
    scene.proxy.pause()
    await sleep(PAUSE_MS)
    await scene.proxy.resume()
  })
})

test('a database whose connections broke for twice the limit holds that time against nobody', async () => {
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(scope, true)
  await judgeBlindness(scene, async () => {
    await scene.proxy.refuse()
    scene.proxy.cut()
    await sleep(PAUSE_MS)
    await scene.proxy.resume()
  })
})

test('a control plane that was down for twice the limit holds that time against nobody', async () => {
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(scope, false)
  await judgeBlindness(scene, async () => {
    await scene.server.kill('SIGKILL')
    await sleep(PAUSE_MS)
    await scene.server.restart()
  })
})

test('a quick restart gives no grace: who died before it is reported as if there had been none', async () => {
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(scope, false)
  const { database, fleet, server } = scene
  // A start takes longer than the scaled limits, so the replica that the nodes beat to goes on, as in a rolling deploy.
  await using second = await startControlPlane({ databaseUrl: database.url, env: SCALED })
  expect(second.url).not.toBe(server.url)
  const before = await readyAt(database)
  const dead = fleet.nodeIds.slice(10)
  fleet.silence(dead)
  await second.stop()
  await second.restart()
  const found = await poll(
    async () => {
      const verdicts = await offlineVerdicts(database, fleet.nodeIds)
      return verdicts.length >= dead.length && verdicts
    },
    { what: 'the verdicts on the dead', timeoutMs: 3 * OFFLINE_MS },
  )
  expect(found.map(({ nodeId }) => nodeId).toSorted()).toEqual(dead.toSorted())
  for (const { silentMs } of found) expect(silentMs).toBeLessThan(OFFLINE_MS + SLACK_MS)
  expect(await readyAt(database)).toBe(before)
})
