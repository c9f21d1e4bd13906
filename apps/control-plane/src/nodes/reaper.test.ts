import { sql } from 'kysely'
import { pino } from 'pino'
import { expect } from 'vitest'
import { attach, beat } from '../../test/node-support.ts'
import { addNode, anchor, placeTest } from '../../test/presence-support.ts'
import { shownTo } from '../../test/scheduling-support.ts'
import { makePerson, makeSession, serverTest } from '../../test/support.ts'
import { reapSilent } from './reaper.ts'

const HOUR = 3_600
const log = pino({ level: 'silent' })

placeTest(
  'a slot ends when its node was announced offline and silent for long enough, and no other does',
  async ({ database, place }) => {
    const { db } = database
    await anchor(database, { lastRun: 0, ready: 10 * HOUR })
    const gone = await addNode(db, place, { ageSeconds: 3 * HOUR, announced: 'offline' })
    await addNode(db, place, { ageSeconds: HOUR, announced: 'offline' })
    await addNode(db, place, { ageSeconds: 3 * HOUR, announced: 'degraded' })
    await addNode(db, place, { ageSeconds: 1 })
    expect(await reapSilent({ db, log }, 2 * HOUR * 1_000)).toEqual([gone])
    expect(await reapSilent({ db, log }, 2 * HOUR * 1_000)).toEqual([])
    const slot = db.selectFrom('runtime_node_attachments').selectAll().where('node_id', '=', gone)
    expect(await slot.executeTakeFirst()).toMatchObject({ state: 'offline', final_heartbeat_at: expect.any(Date) })
    const told = db.selectFrom('runtime_node_transitions').select(['axis', 'from_state', 'to_state', 'cause'])
    expect(await told.where('node_id', '=', gone).execute()).toEqual([
      { axis: 'slot', from_state: 'online', to_state: 'offline', cause: 'reaper' },
    ])
  },
)

placeTest('time in which nobody could be heard does not count', async ({ database, place }) => {
  await anchor(database, { lastRun: 0, ready: HOUR })
  await addNode(database.db, place, { ageSeconds: 9 * HOUR, announced: 'offline' })
  expect(await reapSilent({ db: database.db, log }, 2 * HOUR * 1_000)).toEqual([])
})

serverTest('a reaped node may attach again, and its old incarnation is refused', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const { nodeId, epoch } = await attach(caller, { sessionId })
  await sql`update runtime_node_presence set health_state = 'offline', last_heartbeat_at = now() - interval '3 hours'
    where node_id = ${nodeId}`.execute(database.db)
  expect(await reapSilent({ db: database.db, log }, 2 * HOUR * 1_000)).toEqual([nodeId])
  expect((await beat(caller, { nodeId, epoch })).error?.code).toBe('runtimenode.permission_denied')
  expect(await shownTo(owner, { url: server.url, sessionId, nodeId })).toMatchObject({ state: 'offline' })
  expect(await attach(caller, { sessionId, nodeId })).toMatchObject({ state: 'registering', epoch: epoch + 1 })
})
