import { randomBytes } from 'node:crypto'
import { LIVENESS_DEFAULTS, newId, type LivenessSettings, type ReportedHealth } from '@sonde/contracts'
import type { Database, Schema } from '@sonde/database'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql, type Kysely, type Transaction } from 'kysely'
import { pino } from 'pino'
import { createMetrics, type Metrics } from '../src/core/metrics.ts'
import { sweepStaleness, type Sweep } from '../src/nodes/sweep.ts'
import { makePerson, makeSession } from './support.ts'

type Db = Kysely<Schema> | Transaction<Schema>

/** `dbTest` with a session and its owner. */
export const placeTest = dbTest.extend('place', { scope: 'file' }, async ({ database }) => {
  const owner = await makePerson(database)
  return { owner, sessionId: await makeSession(database, owner) }
})

/** An online node whose last beat is `ageSeconds` old by the transaction's own clock. */
export const addNode = async (
  db: Db,
  place: { owner: { participantId: string }; sessionId: string },
  last: { ageSeconds: number; reported?: ReportedHealth; announced?: 'online' | 'degraded' | 'offline' },
): Promise<string> => {
  const node_id = `node-${randomBytes(8).toString('hex')}`
  const { ageSeconds, reported = 'online', announced = reported } = last
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

/** The stored verdict. */
export const announcedOf = async (db: Db, nodeId: string): Promise<string> => {
  const query = db.selectFrom('runtime_node_presence').select('health_state').where('node_id', '=', nodeId)
  return (await query.executeTakeFirstOrThrow()).health_state
}

/** Default limits without the breaker, which would hold the verdicts of a test that has only silent nodes. */
const UNBROKEN: LivenessSettings = {
  ...LIVENESS_DEFAULTS,
  breaker: { ...LIVENESS_DEFAULTS.breaker, nodes: Number.MAX_SAFE_INTEGER },
}

/** One sweep outside of any control plane. */
export const sweepOnce = (
  { db }: Database,
  liveness: LivenessSettings = UNBROKEN,
  metrics: Metrics = createMetrics(),
): Promise<Sweep> =>
  sweepStaleness({
    db,
    log: pino({ level: 'silent' }),
    metrics,
    config: { liveness },
  })

/** Runs in a transaction, in which `now()` stands still, and rolls it back. */
export const frozen = async ({ db }: Database, work: (trx: Transaction<Schema>) => Promise<void>): Promise<void> => {
  const enough = new Error('rolled back')
  const run = db.transaction().execute(async (trx) => {
    await work(trx)
    throw enough
  })
  await run.catch((error: unknown) => {
    if (error !== enough) throw error
  })
}

/** Sets when the sweeper ran last, and since when beats count. */
export const anchor = async ({ db }: Database, seconds: { lastRun: number; ready: number }): Promise<void> => {
  const ago = (s: number) => sql<Date>`now() - ${s} * interval '1 second'`
  const values = { last_run_at: ago(seconds.lastRun), ready_at: ago(seconds.ready) }
  await db
    .insertInto('service_state')
    .values({ name: 'sweeper', ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute()
}

/** Resolves once so many statements in this database wait for locks. */
export const waitForLock = ({ db }: Database, waiting = 1): Promise<unknown> =>
  poll(
    async () => {
      const { rows } = await sql`
        select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(db)
      return rows.length >= waiting
    },
    { what: `${waiting} statements that wait for a lock`, everyMs: 5 },
  )
