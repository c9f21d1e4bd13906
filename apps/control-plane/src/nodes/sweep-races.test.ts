import { newId } from '@sonde/contracts'
import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import { addNode, announcedOf, placeTest, sweepOnce, waitForLock } from '../../test/presence-support.ts'
import { writeBeats } from './store-beats.ts'

placeTest('two sweeps at once report each change once', async ({ database, place }) => {
  const ids = await Promise.all(Array.from({ length: 30 }, () => addNode(database.db, place, { ageSeconds: 90 })))
  const sweeps = await Promise.all(Array.from({ length: 6 }, () => sweepOnce(database)))
  const told = sweeps.flatMap(({ transitions }) => transitions.map(({ nodeId }) => nodeId))
  expect(told.toSorted()).toEqual(ids.toSorted())
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from runtime_node_transitions where node_id = any(${ids})`.execute(database.db)
  expect(rows).toEqual([{ n: ids.length }])
})

placeTest('a sweep passes by a row that a beat holds, and the beat wins', async ({ database, place }) => {
  const held = await addNode(database.db, place, { ageSeconds: 90 })
  const free = await addNode(database.db, place, { ageSeconds: 90 })
  const done = Promise.withResolvers<void>()
  onTestFinished(() => done.resolve())
  const beaten = Promise.withResolvers<void>()
  const beating = database.db.transaction().execute(async (trx) => {
    await trx
      .updateTable('runtime_node_presence')
      .set({ last_heartbeat_at: sql<Date>`now()` })
      .where('node_id', '=', held)
      .execute()
    beaten.resolve()
    await done.promise
  })
  await beaten.promise
  expect((await sweepOnce(database)).transitions).toEqual([{ nodeId: free, healthState: 'offline' }])
  done.resolve()
  await beating
  expect((await sweepOnce(database)).transitions).toEqual([])
  expect(await announcedOf(database.db, held)).toBe('online')
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
      onTestFinished(() => done.resolve())
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
      await waitForLock(database)
      done.resolve()
      await rival
      expect(await first).toMatchObject([{ at: 0, written: false }])
      const second = await writeBeats(database.db, [beat], newId())
      expect(second.map(({ written }) => written)).toEqual(expected ? [true] : [])
    }
  },
)
