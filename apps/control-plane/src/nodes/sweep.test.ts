import { LIVENESS_DEFAULTS } from '@sonde/contracts'
import { poll, startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { attach, beat, detach } from '../../test/node-support.ts'
import { addNode, anchor, announcedOf, frozen, placeTest, sweepOnce } from '../../test/presence-support.ts'
import { makePerson, makeSession, snapshot } from '../../test/support.ts'
import { nodeStates } from './active-node.ts'
import { livenessOf } from './liveness.ts'
import { readActiveSlots } from './store-reads.ts'
import { sweepBatch } from './sweep.ts'

placeTest.for([
  [29.9, 'online', 'online'],
  [30, 'online', 'online'],
  [30.1, 'online', 'degraded'],
  [60, 'online', 'degraded'],
  [60.1, 'online', 'offline'],
  [10, 'online', 'online'],
  [45, 'degraded', 'degraded'],
  [60, 'degraded', 'degraded'],
  [60.1, 'degraded', 'offline'],
  [40, 'offline', 'offline'],
  [90, 'offline', 'offline'],
] as const)(
  'a beat %s s old that was announced %s is announced %s',
  async ([ageSeconds, announced, expected], { database, place }) => {
    await frozen(database, async (trx) => {
      const nodeId = await addNode(trx, place, { ageSeconds, announced })
      const { demoted } = await sweepBatch(trx, LIVENESS_DEFAULTS, 1000)
      expect(await announcedOf(trx, nodeId)).toBe(expected)
      expect(demoted).toEqual(announced === expected ? [] : [{ nodeId, healthState: expected }])
      expect((await sweepBatch(trx, LIVENESS_DEFAULTS, 1000)).demoted).toEqual([])
    })
  },
)

placeTest(
  'the announced value is the derived one after a sweep, for any age and report',
  async ({ database, place }) => {
    const node = fc.record({
      ageSeconds: fc.double({ min: 0, max: 120, noNaN: true }),
      reported: fc.constantFrom('online', 'degraded'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 8 }), (nodes) =>
        frozen(database, async (trx) => {
          const ids: string[] = []
          for (const each of nodes) ids.push(await addNode(trx, place, each))
          await sweepBatch(trx, LIVENESS_DEFAULTS, 1000)
          for (const slot of await readActiveSlots(trx, ids)) {
            expect(livenessOf({ ...slot, ended: false }, LIVENESS_DEFAULTS)).toBe(await announcedOf(trx, slot.nodeId))
          }
        }),
      ),
      { numRuns: 20 },
    )
  },
)

placeTest(
  'several nodes in one sweep each get their own verdict, in batches of any size',
  async ({ database, place }) => {
    await frozen(database, async (trx) => {
      const ages = [5, 31, 35, 61, 70, 20]
      const ids: string[] = []
      for (const ageSeconds of ages) ids.push(await addNode(trx, place, { ageSeconds }))
      const sizes: number[] = []
      for (let last = 2; last === 2;) {
        last = (await sweepBatch(trx, LIVENESS_DEFAULTS, 2)).demoted.length
        sizes.push(last)
      }
      expect(sizes).toEqual([2, 2, 0])
      const announced = []
      for (const id of ids) announced.push(await announcedOf(trx, id))
      expect(announced).toEqual(['online', 'degraded', 'degraded', 'offline', 'offline', 'online'])
    })
  },
)

placeTest('a sweep tells when the next row may cross', async ({ database, place }) => {
  await frozen(database, async (trx) => {
    await addNode(trx, place, { ageSeconds: 12 })
    await addNode(trx, place, { ageSeconds: 57, announced: 'degraded' })
    await addNode(trx, place, { ageSeconds: 500, announced: 'offline' })
    expect((await sweepBatch(trx, LIVENESS_DEFAULTS, 1000)).nextCrossingMs).toBeCloseTo(3_000)
  })
})

describe('the guard against its own blindness', () => {
  for (const pauseSeconds of [35, 50, 120]) {
    placeTest(
      `holds no beat against a node that could not arrive in a pause of ${pauseSeconds} s`,
      async ({ database, place }) => {
        await anchor(database, { lastRun: pauseSeconds, ready: 10_000 })
        const nodeId = await addNode(database.db, place, { ageSeconds: pauseSeconds + 14 })
        expect((await sweepOnce(database)).transitions).toEqual([])
        const states = await nodeStates(database.db, [nodeId], LIVENESS_DEFAULTS)
        expect(states.get(nodeId)?.blockers).toEqual([])
        await database.db
          .updateTable('runtime_node_presence')
          .set({ last_heartbeat_at: sql<Date>`now() - interval '1 hour'` })
          .where('node_id', '=', nodeId)
          .execute()
        await anchor(database, { lastRun: 4, ready: 60.1 })
        expect((await sweepOnce(database)).transitions).toEqual([{ nodeId, healthState: 'offline' }])
        expect((await nodeStates(database.db, [nodeId], LIVENESS_DEFAULTS)).get(nodeId)?.blockers).toEqual(['stale'])
      },
    )
  }

  placeTest('takes a clock that jumped ahead for a pause', async ({ database, place }) => {
    await anchor(database, { lastRun: 121, ready: 10_000 })
    const nodeId = await addNode(database.db, place, { ageSeconds: 130 })
    expect((await sweepOnce(database)).transitions).toEqual([])
    expect(await announcedOf(database.db, nodeId)).toBe('online')
  })

  placeTest(
    'lets nobody hide behind a clock that was set back: times in the future become now',
    async ({ database, place }) => {
      await anchor(database, { lastRun: -120, ready: -500 })
      const dead = await addNode(database.db, place, { ageSeconds: -110 })
      const alive = await addNode(database.db, place, { ageSeconds: 2 })
      expect((await sweepOnce(database)).transitions).toEqual([])
      const { rows } = await sql<{ id: string; aheadMs: number }>`
        select node_id as id, extract(epoch from last_heartbeat_at - now())::float8 * 1000 as "aheadMs"
        from runtime_node_presence where node_id in (${dead}, ${alive})`.execute(database.db)
      for (const { id, aheadMs } of rows) expect(aheadMs, id).toBeLessThanOrEqual(0)
      expect(rows.find(({ id }) => id === dead)?.aheadMs).toBeGreaterThan(-1_000)
      expect(rows.find(({ id }) => id === alive)?.aheadMs).toBeLessThan(-1_900)
      await database.db
        .updateTable('runtime_node_presence')
        .set({ last_heartbeat_at: sql<Date>`last_heartbeat_at - interval '61 seconds'` })
        .where('node_id', '=', dead)
        .execute()
      await anchor(database, { lastRun: 4, ready: 61 })
      expect((await sweepOnce(database)).transitions).toContainEqual({ nodeId: dead, healthState: 'offline' })
    },
  )

  placeTest('counts the first run ever as no gap', async ({ database, place }) => {
    await sql`delete from service_state`.execute(database.db)
    const nodeId = await addNode(database.db, place, { ageSeconds: 61 })
    expect((await sweepOnce(database)).transitions).toEqual([{ nodeId, healthState: 'offline' }])
  })

  placeTest('gives no grace after a short gap, as of a restart', async ({ database, place }) => {
    await anchor(database, { lastRun: 29, ready: 10_000 })
    const nodeId = await addNode(database.db, place, { ageSeconds: 61 })
    const before = await database.db.selectFrom('service_state').select('ready_at').executeTakeFirstOrThrow()
    expect((await sweepOnce(database)).transitions).toEqual([{ nodeId, healthState: 'offline' }])
    const after = await database.db.selectFrom('service_state').selectAll().executeTakeFirstOrThrow()
    expect(after.ready_at).toEqual(before.ready_at)
    expect(after.last_run_at.getTime()).toBeGreaterThan(before.ready_at.getTime())
  })
})

dbTest(
  'a running control plane announces silence soon after the limit, and nothing of a node that beats',
  async ({ databaseUrl, database }) => {
    await using server = await startControlPlane({
      databaseUrl,
      env: {
        SONDE_HEARTBEAT_MS: '750',
        SONDE_DEGRADED_AFTER_MS: '1500',
        SONDE_OFFLINE_AFTER_MS: '3000',
        SONDE_SWEEP_MS: '250',
      },
    })
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const alive = await attach(caller, { sessionId })
    const silent = await attach(caller, { sessionId })
    const left = await attach(caller, { sessionId })
    await detach(caller, { nodeId: left.nodeId })
    const before = await snapshot(database, 'runtime_node_attachments')
    const told = () =>
      database.db
        .selectFrom('runtime_node_transitions as t')
        .innerJoin('runtime_node_presence as p', 'p.node_id', 't.node_id')
        .select([
          't.node_id',
          't.to_state',
          sql<number>`extract(epoch from t.at - p.last_heartbeat_at)::float8`.as('late'),
        ])
        .where('t.cause', '=', 'sweep')
        .where('t.node_id', 'in', [alive.nodeId, silent.nodeId, left.nodeId])
        .orderBy('t.id')
        .execute()
    const found = await poll(
      async () => {
        await beat(caller, { nodeId: alive.nodeId })
        const rows = await told()
        return rows.length >= 2 && rows
      },
      { what: 'both announcements', everyMs: 100 },
    )
    expect(found.map(({ node_id, to_state }) => [node_id, to_state])).toEqual([
      [silent.nodeId, 'degraded'],
      [silent.nodeId, 'offline'],
    ])
    const [degraded = 0, offline = 0] = found.map(({ late }) => late)
    expect(degraded).toBeGreaterThan(1.5)
    expect(offline).toBeGreaterThan(3)
    expect(offline).toBeLessThan(5)
    expect(await snapshot(database, 'runtime_node_attachments')).toEqual(before)
    expect(server.logs.filter((line) => line['level'] === 50)).toEqual([])
  },
)
