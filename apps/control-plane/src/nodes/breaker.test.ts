import { LIVENESS_DEFAULTS } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { poll, startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql, type Transaction } from 'kysely'
import { describe, expect, test } from 'vitest'
import { offlineVerdicts, rosterOf, SCALED, startFleet } from '../../test/fleet-support.ts'
import { addNode, frozen, placeTest } from '../../test/presence-support.ts'
import { makePerson, makeSession } from '../../test/support.ts'
import { leaseHolders, nodeStates } from './active-node.ts'
import { massSilence } from './breaker.ts'
import { sweepBatch } from './sweep.ts'

const { breaker } = LIVENESS_DEFAULTS
const FLEET = { kind: 'fleet' } as const

test.each([
  [12, 4, false],
  [33, 10, true],
  [34, 10, false],
  [100, 10, false],
  [100, 30, false],
  [100, 31, true],
  [30, 9, false],
  [9, 9, false],
  [10, 10, true],
])('of %i live nodes %i silent ones are too many: %s', (live, silent, expected) => {
  expect(massSilence([{ group: FLEET, live, silent }], breaker)).toEqual(expected ? [FLEET] : [])
})

describe('a sweep', () => {
  type Place = Parameters<typeof addNode>[1]
  /** Makes `size` nodes, of which the first `silent` have not beaten for `ageSeconds`. */
  const fleetOf = async (
    trx: Transaction<Schema>,
    place: Place,
    { size, silent, ageSeconds = 61 }: { size: number; silent: number; ageSeconds?: number },
  ): Promise<string[]> => {
    const ids: string[] = []
    for (let at = 0; at < size; at += 1) {
      const age = at < silent ? { ageSeconds, announced: 'degraded' as const } : { ageSeconds: 5 }
      ids.push(await addNode(trx, place, age))
    }
    return ids
  }
  const sweep = (trx: Transaction<Schema>) => sweepBatch(trx, LIVENESS_DEFAULTS, 1_000)
  const setAge = (trx: Transaction<Schema>, ids: string[], seconds: number) =>
    sql`update runtime_node_presence set last_heartbeat_at = now() - ${seconds} * interval '1 second'
      where node_id = any(${ids})`.execute(trx)

  for (const [size, silent] of [
    [12, 4],
    [100, 10],
  ] as const) {
    placeTest(`gives its verdicts when ${silent} of ${size} are silent`, async ({ database, place }) => {
      await frozen(database, async (trx) => {
        const ids = await fleetOf(trx, place, { size, silent })
        const { demoted, held, opened } = await sweep(trx)
        expect(demoted.map(({ nodeId }) => nodeId).toSorted()).toEqual(ids.slice(0, silent).toSorted())
        expect({ held, opened }).toEqual({ held: 0, opened: false })
      })
    })
  }

  placeTest(
    'gives none when 40 of 100 are silent; they are unknown, and nothing that follows from offline happens',
    async ({ database, place }) => {
      await frozen(database, async (trx) => {
        const ids = await fleetOf(trx, place, { size: 100, silent: 40 })
        const silent = ids.slice(0, 40)
        expect(await sweep(trx)).toMatchObject({
          demoted: [],
          held: 40,
          opened: true,
          withheld: [{ kind: 'fleet' }, {}],
        })
        expect(await sweep(trx)).toMatchObject({ demoted: [], held: 40, opened: false })
        const states = await nodeStates(trx, ids, LIVENESS_DEFAULTS)
        expect(silent.map((id) => states.get(id)?.blockers)).toEqual(silent.map(() => ['stale']))
        const claims = ids.map((nodeId) => ({ nodeId, epoch: 1 }))
        expect((await leaseHolders(trx, claims, LIVENESS_DEFAULTS)).size).toBe(100)

        // Eleven beat again: 29 of 100 are no longer too many.
        await sql`update runtime_node_presence set last_heartbeat_at = now(), held_since = null, health_state = 'online'
          where node_id = any(${silent.slice(0, 11)})`.execute(trx)
        const released = await sweep(trx)
        expect(released.demoted.map(({ nodeId }) => nodeId).toSorted()).toEqual(silent.slice(11).toSorted())
        expect((await leaseHolders(trx, claims, LIVENESS_DEFAULTS)).size).toBe(71)
        expect(await sweep(trx)).toMatchObject({ demoted: [], held: 0, opened: false })
      })
    },
  )

  placeTest('gives them after 120 s, in batches of any size', async ({ database, place }) => {
    await frozen(database, async (trx) => {
      const ids = await fleetOf(trx, place, { size: 100, silent: 40 })
      await sweep(trx)
      const since = (seconds: number) =>
        sql`update runtime_node_presence set held_since = now() - ${seconds} * interval '1 second'
          where held_since is not null`.execute(trx)
      await since(120)
      expect(await sweep(trx)).toMatchObject({ demoted: [], held: 40 })
      await since(120.1)
      const told: string[] = []
      for (let last = 15; last === 15;) {
        const { demoted } = await sweepBatch(trx, LIVENESS_DEFAULTS, 15)
        last = demoted.length
        told.push(...demoted.map(({ nodeId }) => nodeId))
      }
      expect(told.toSorted()).toEqual(ids.slice(0, 40).toSorted())
    })
  })

  placeTest('sees a cut that makes nodes cross one by one', async ({ database, place }) => {
    await frozen(database, async (trx) => {
      const ids = await fleetOf(trx, place, { size: 100, silent: 40, ageSeconds: 50 })
      expect(await sweep(trx)).toMatchObject({ demoted: [], held: 0 })
      await setAge(trx, ids.slice(0, 2), 60.5)
      expect(await sweep(trx)).toMatchObject({ demoted: [], held: 2, opened: true })
      await setAge(trx, ids.slice(2, 40), 61)
      expect(await sweep(trx)).toMatchObject({ demoted: [], held: 40, opened: false })
    })
  })

  placeTest(
    'withholds the verdicts of one replica or one version alone, and gives the others',
    async ({ database, place }) => {
      await frozen(database, async (trx) => {
        const replicaId = crypto.randomUUID()
        const ids = await fleetOf(trx, place, { size: 200, silent: 30 })
        const [cut, dead] = [ids.slice(0, 20), ids.slice(20, 30)]
        await sql`update runtime_node_presence set replica_id = ${replicaId} where node_id = any(${cut})`.execute(trx)
        const first = await sweep(trx)
        expect(first).toMatchObject({ held: 20, withheld: [{ kind: 'replica', replicaId }] })
        expect(first.demoted.map(({ nodeId }) => nodeId).toSorted()).toEqual(dead.toSorted())
      })
      await frozen(database, async (trx) => {
        const ids = await fleetOf(trx, place, { size: 200, silent: 30 })
        const cut = ids.slice(0, 20)
        await sql`update runtime_node_attachments set client_version = '7.7' where node_id = any(${cut})`.execute(trx)
        const first = await sweep(trx)
        expect(first).toMatchObject({ held: 20, withheld: [{ kind: 'version', version: '7.7' }] })
        expect(first.demoted).toHaveLength(10)
        await sql`update runtime_node_presence set replica_id = null where node_id = any(${ids.slice(20)})`.execute(trx)
        expect(await sweep(trx)).toMatchObject({ demoted: [], held: 20 })
      })
    },
  )
})

dbTest(
  'a running control plane holds the verdicts of 40 of 100, tells it once, takes beats as release and gives the rest in time',
  async ({ databaseUrl, database }) => {
    await using server = await startControlPlane({ databaseUrl, env: SCALED })
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    await using fleet = await startFleet(caller, { sessionId, size: 100 })
    const [back, gone] = [fleet.nodeIds.slice(0, 5), fleet.nodeIds.slice(5, 40)]
    fleet.silence([...back, ...gone])
    const held = await poll(
      async () => {
        const nodes = [...(await rosterOf(caller, sessionId)).values()].filter((node) => node.livenessHeld)
        return nodes.length === 40 && nodes
      },
      { what: 'forty withheld verdicts', everyMs: 100 },
    )
    for (const node of held)
      expect(node).toMatchObject({ liveness: null, healthState: 'degraded', blockers: ['stale'] })
    expect(await offlineVerdicts(database, fleet.nodeIds)).toEqual([])
    const alerts = () => server.logs.filter((line) => String(line['msg']).startsWith('too many nodes fell silent'))
    expect(alerts()).toMatchObject([{ level: 50 }])

    fleet.resume(back)
    await poll(async () => (await rosterOf(caller, sessionId)).get(back[0]!)?.liveness === 'online', {
      what: 'a node that is back',
      everyMs: 100,
    })
    const verdicts = await poll(
      async () => {
        const found = await offlineVerdicts(database, fleet.nodeIds)
        return found.length >= gone.length && found
      },
      { what: 'the verdicts', timeoutMs: 15_000, everyMs: 100 },
    )
    expect(verdicts.map(({ nodeId }) => nodeId).toSorted()).toEqual(gone.toSorted())
    for (const { silentMs } of verdicts) {
      expect(silentMs).toBeGreaterThan(3_000)
      expect(silentMs).toBeLessThan(3_000 + 6_000 + 2_000)
    }
    expect(Math.max(...verdicts.map(({ silentMs }) => silentMs))).toBeGreaterThan(8_000)
    expect(alerts()).toHaveLength(1)
    const metrics = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${owner.token}` } })
    expect(await metrics.text()).toMatch(/^node_breaker_opened_total 1$/m)
  },
)
