import { randomBytes } from 'node:crypto'
import { LIVENESS_DEFAULTS, newId, type LivenessSettings, type ReportedHealth } from '@sonde/contracts'
import type { Database, Schema } from '@sonde/database'
import { poll, startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import fc from 'fast-check'
import { sql, type Kysely, type Transaction } from 'kysely'
import { pino } from 'pino'
import { describe, expect } from 'vitest'
import { attach, beat, detach, newNodeId } from '../../test/node-support.ts'
import { makePerson, makeSession, snapshot } from '../../test/support.ts'
import { createMetrics } from '../core/metrics.ts'
import { leaseHolders, nodeStates } from './active-node.ts'
import { livenessOf } from './liveness.ts'
import { readActiveSlots } from './store-reads.ts'
import { writeBeats } from './store-beats.ts'
import { sweepBatch, sweepStaleness } from './sweep.ts'

type Db = Kysely<Schema> | Transaction<Schema>

const placeTest = dbTest.extend('place', { scope: 'file' }, async ({ database }) => {
  const owner = await makePerson(database)
  return { owner, sessionId: await makeSession(database, owner) }
})

/** An online node whose last beat is `ageSeconds` old by the transaction's own clock. */
const addNode = async (
  db: Db,
  place: { owner: { participantId: string }; sessionId: string },
  beat: { ageSeconds: number; reported?: ReportedHealth; announced?: 'online' | 'degraded' | 'offline' },
): Promise<string> => {
  const node_id = `node-${randomBytes(8).toString('hex')}`
  const { ageSeconds, reported = 'online', announced = reported } = beat
  const owner_id = place.owner.participantId
  const id = newId()
  await db.insertInto('runtime_nodes').values({ node_id, owner_id, epoch: 1 }).execute()
  const slot = { id, node_id, session_id: place.sessionId, participant_id: owner_id, client_version: '1.0', epoch: 1 }
  const declared = { state: 'online', declared_at: sql<Date>`now()` } as const
  await db
    .insertInto('runtime_node_attachments')
    .values({ ...slot, ...declared })
    .execute()
  const at = sql<Date>`now() - ${ageSeconds} * interval '1 second'`
  const presence = { node_id, attachment_id: id, epoch: 1, replica_id: newId() }
  await db
    .insertInto('runtime_node_presence')
    .values({ ...presence, last_heartbeat_at: at, reported_health: reported, health_state: announced })
    .execute()
  return node_id
}

const announcedOf = async (db: Db, nodeId: string) =>
  (
    await db
      .selectFrom('runtime_node_presence')
      .select('health_state')
      .where('node_id', '=', nodeId)
      .executeTakeFirstOrThrow()
  ).health_state

const sweeping = ({ db }: Database, liveness: LivenessSettings = LIVENESS_DEFAULTS) =>
  sweepStaleness({ db, log: pino({ level: 'silent' }), metrics: createMetrics(), config: { liveness } })

/** Runs in a transaction, in which `now()` stands still, and rolls it back. */
const frozen = async ({ db }: Database, work: (trx: Transaction<Schema>) => Promise<void>) => {
  const enough = new Error('rolled back')
  const run = db.transaction().execute(async (trx) => {
    await work(trx)
    throw enough
  })
  await run.catch((error: unknown) => {
    if (error !== enough) throw error
  })
}

const anchor = async ({ db }: Database, seconds: { lastRun: number; ready: number }) => {
  const ago = (s: number) => sql<Date>`now() - ${s} * interval '1 second'`
  const values = { last_run_at: ago(seconds.lastRun), ready_at: ago(seconds.ready) }
  await db
    .insertInto('service_state')
    .values({ name: 'sweeper', ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute()
}

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
        expect((await sweeping(database)).transitions).toEqual([])
        const states = await nodeStates(database.db, [nodeId], LIVENESS_DEFAULTS)
        expect(states.get(nodeId)?.blockers).toEqual([])
        await database.db
        .updateTable('runtime_node_presence')
        .set({ last_heartbeat_at: sql<Date>`now() - interval '1 hour'` })
        .where('node_id', '=', nodeId)
        .execute()
      await anchor(database, { lastRun: 4, ready: 60.1 })
        expect((await sweeping(database)).transitions).toEqual([{ nodeId, healthState: 'offline' }])
        expect((await nodeStates(database.db, [nodeId], LIVENESS_DEFAULTS)).get(nodeId)?.blockers).toEqual(['stale'])
      },
    )
  }

  placeTest('gives no grace after a short gap, as of a restart', async ({ database, place }) => {
    await anchor(database, { lastRun: 29, ready: 10_000 })
    const nodeId = await addNode(database.db, place, { ageSeconds: 61 })
    const before = await database.db.selectFrom('service_state').select('ready_at').executeTakeFirstOrThrow()
    expect((await sweeping(database)).transitions).toEqual([{ nodeId, healthState: 'offline' }])
    const after = await database.db.selectFrom('service_state').selectAll().executeTakeFirstOrThrow()
    expect(after.ready_at).toEqual(before.ready_at)
    expect(after.last_run_at.getTime()).toBeGreaterThan(before.ready_at.getTime())
  })
})

describe('races', () => {
  placeTest('two sweeps at once report each change once', async ({ database, place }) => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => addNode(database.db, place, { ageSeconds: 90 })))
    const sweeps = await Promise.all(Array.from({ length: 6 }, () => sweeping(database)))
    const told = sweeps.flatMap(({ transitions }) => transitions.map(({ nodeId }) => nodeId))
    expect(told.toSorted()).toEqual(ids.toSorted())
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from runtime_node_transitions where node_id = any(${ids})`.execute(database.db)
    expect(rows).toEqual([{ n: ids.length }])
  })

  placeTest('a sweep passes by a row that a beat holds, and the beat wins', async ({ database, place }) => {
    const [held, free] = await Promise.all([0, 1].map(() => addNode(database.db, place, { ageSeconds: 90 })))
    const done = Promise.withResolvers<void>()
    const beaten = Promise.withResolvers<void>()
    const beating = database.db.transaction().execute(async (trx) => {
      await trx
        .updateTable('runtime_node_presence')
        .set({ last_heartbeat_at: sql<Date>`now()` })
        .where('node_id', '=', held!)
        .execute()
      beaten.resolve()
      await done.promise
    })
    await beaten.promise
    expect((await sweeping(database)).transitions).toEqual([{ nodeId: free, healthState: 'offline' }])
    done.resolve()
    await beating
    expect((await sweeping(database)).transitions).toEqual([])
    expect(await announcedOf(database.db, held!)).toBe('online')
  })

  placeTest(
    'a beat that meets a sweep, a detach or a new attach under way is not written by what it had read',
    async ({ database, place }) => {
      const cases = [
        { change: { health_state: 'offline' }, announced: 'online', expected: true },
        { change: { health_state: 'offline', replica_id: null }, announced: 'offline', expected: false },
        { change: { epoch: 2 }, announced: 'online', expected: false },
      ] as const
      for (const { change, announced, expected } of cases) {
        const nodeId = await addNode(database.db, place, { ageSeconds: 1, announced })
        const beat = {
          nodeId,
          callerId: place.owner.participantId,
          onlySessionId: null,
          attachmentId: null,
          epoch: 1,
          health: 'online',
        } as const
        const read = Promise.withResolvers<void>()
        const done = Promise.withResolvers<void>()
        const rival = database.db.transaction().execute(async (trx) => {
          await trx.updateTable('runtime_node_presence').set(change).where('node_id', '=', nodeId).execute()
          if (!expected) {
            const slot = 'epoch' in change ? { epoch: 2 } : ({ state: 'offline' } as const)
            await trx.updateTable('runtime_node_attachments').set(slot).where('node_id', '=', nodeId).execute()
          }
          read.resolve()
          await done.promise
        })
        await read.promise
        const first = writeBeats(database.db, [beat], newId())
        await expect
          .poll(async () => {
            const { rows } = await sql`select 1 from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database()`.execute(database.db)
            return rows.length
          })
          .toBe(1)
        done.resolve()
        await rival
        expect(await first).toMatchObject([{ at: 0, written: false }])
        const second = await writeBeats(database.db, [beat], newId())
        expect(second.map(({ written }) => written)).toEqual(expected ? [true] : [])
      }
    },
  )
})

placeTest('a lease is held by an active slot of that epoch that is not offline', async ({ database, place }) => {
  await anchor(database, { lastRun: 0, ready: 10_000 })
  const fresh = await addNode(database.db, place, { ageSeconds: 1 })
  const late = await addNode(database.db, place, { ageSeconds: 45 })
  const dead = await addNode(database.db, place, { ageSeconds: 61 })
  const gone = await addNode(database.db, place, { ageSeconds: 1 })
  await database.db
    .updateTable('runtime_node_attachments')
    .set({ state: 'offline' })
    .where('node_id', '=', gone)
    .execute()
  const claims = [fresh, late, dead, gone, 'node-unknown'].map((nodeId) => ({ nodeId, epoch: 1 }))
  const holders = await leaseHolders(database.db, [...claims, { nodeId: fresh, epoch: 2 }], LIVENESS_DEFAULTS)
  expect(holders).toEqual(new Set([`${fresh}:1`, `${late}:1`]))
  expect(await leaseHolders(database.db, [], LIVENESS_DEFAULTS)).toEqual(new Set())
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
    const caller = { ...server, url: server.url, owner }
    const [alive, silent, left] = await Promise.all(
      [0, 1, 2].map(() => attach(caller, { sessionId, nodeId: newNodeId() })),
    )
    await detach(caller, { nodeId: left!.nodeId })
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
        .where('t.node_id', 'in', [alive!.nodeId, silent!.nodeId, left!.nodeId])
        .orderBy('t.id')
        .execute()
    const found = await poll(
      async () => {
        await beat(caller, { nodeId: alive!.nodeId })
        const rows = await told()
        return rows.length >= 2 && rows
      },
      { what: 'both announcements', everyMs: 100 },
    )
    expect(found.map(({ node_id, to_state }) => [node_id, to_state])).toEqual([
      [silent!.nodeId, 'degraded'],
      [silent!.nodeId, 'offline'],
    ])
    expect(found[0]!.late).toBeGreaterThan(1.5)
    expect(found[1]!.late).toBeGreaterThan(3)
    expect(found[1]!.late).toBeLessThan(5)
    expect(await snapshot(database, 'runtime_node_attachments')).toEqual(before)
    expect(server.logs.filter((line) => line['level'] === 50)).toEqual([])
  },
)
