import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { holdOpen } from '../../test/barrier.ts'
import {
  chunkOf,
  finishCapture,
  seedCapture,
  seedWorkspace,
  startDataLane,
  upload,
} from '../../test/capture-fixture.ts'
import { waitForLock } from '../../test/presence-support.ts'
import { call } from '../../test/support.ts'
import { linesOf } from '../../test/tail-viewer.ts'
import { expireCaptures, purgeChunks } from './retention.ts'
import { bury } from './retention-store.ts'
import { lockCapture } from './segment-store.ts'
import { storeChunks } from './store-chunks.ts'
import { verifyChunk } from '@sonde/capture-format/chunk'

const T0 = 1_795_500_000_000_000

const raceTest = dbTest.extend('raced', async ({ database, databaseUrl }, { onCleanup }) => {
  const lane = await startDataLane(databaseUrl)
  onCleanup(() => lane[Symbol.asyncDispose]())
  const { db } = database
  const workspace = await seedWorkspace(db)
  const { nodeId, participantId, sessionId, nodeToken, personToken } = workspace
  return {
    lane,
    database,
    holder: { nodeId, participantId, sessionId },
    /** A final capture whose segment takes repairs. */
    make: async (): Promise<string> => {
      const captureId = await seedCapture(db, workspace, 1)
      await finishCapture(db, captureId)
      await db
        .updateTable('capture_segments')
        .set({ storage: 'incomplete' })
        .where('capture_id', '=', captureId)
        .execute()
      return captureId
    },
    chunk: (captureId: string, seq: number) => chunkOf({ captureId, segmentNo: 0, seq }, linesOf(T0 + seq, 2)),
    send: async (chunks: Uint8Array[]) =>
      (await upload(lane.url, nodeToken, chunks)).results.map(({ outcome }) => outcome),
    remove: async (id: string) => (await call(lane.url, personToken, 'captures.delete', { id })).status,
    /** Chunks that are left once all is purged. */
    left: async (captureIds: string[]): Promise<number> => {
      while (await purgeChunks(lane.resources)) continue
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from capture_chunks where capture_id = any(${captureIds}::uuid[])`.execute(db)
      return rows[0]?.count ?? -1
    },
  }
})

raceTest('a delete waits for an upload that is at the segment, and takes what it stored', async ({ raced }) => {
  const { make, chunk, remove, left, holder, database } = raced
  const captureId = await make()
  const checked = await verifyChunk(await chunk(captureId, 0))
  await using uploading = await holdOpen(database, (trx) => storeChunks(trx, [{ ...checked, holder }], true))
  const removed = remove(captureId)
  await waitForLock(database)
  await uploading.commit()
  expect(await removed).toBe(200)
  expect(await left([captureId])).toBe(0)
})

raceTest('an upload that waits for a delete is told that the capture is gone', async ({ raced }) => {
  const { make, chunk, send, left, database } = raced
  const captureId = await make()
  await using deleting = await holdOpen(database, async (trx) => {
    const locked = await lockCapture(trx, captureId)
    await bury(trx, locked!.capture, { reason: 'deleted', deletedBy: null })
  })
  const sent = send([await chunk(captureId, 0)])
  await waitForLock(database)
  await deleting.commit()
  expect(await sent).toEqual(['capture.gone'])
  expect(await left([captureId])).toBe(0)
})

raceTest('of a delete among many uploads nothing is left, whatever came first', async ({ raced }) => {
  const { make, chunk, send, remove, left } = raced
  const ids: string[] = []
  const seen = new Set<string>()
  for (let round = 0; round < 15; round += 1) {
    const captureId = await make()
    ids.push(captureId)
    const chunks = await Promise.all(Array.from({ length: 6 }, (_, seq) => chunk(captureId, seq)))
    const [status, ...outcomes] = await Promise.all([
      remove(captureId),
      ...chunks.map((each) => send([each])),
      purgeChunks(raced.lane.resources),
    ])
    expect(status).toBe(200)
    for (const outcome of outcomes.flat()) if (typeof outcome === 'string') seen.add(outcome)
    expect(await send([chunks[0]!])).toEqual(['capture.gone'])
  }
  expect([...seen].filter((outcome) => outcome !== 'stored' && outcome !== 'capture.gone')).toEqual([])
  expect(await left(ids)).toBe(0)
})

raceTest('several replicas expire and purge at once, each capture once', async ({ raced }) => {
  const { make, chunk, send, left, lane, database } = raced
  const ids: string[] = []
  for (let count = 0; count < 12; count += 1) ids.push(await make())
  for (const id of ids) await send([await chunk(id, 0)])
  await database.db
    .updateTable('captures')
    .set({ expires_at: sql<Date>`now()` })
    .where('id', 'in', ids)
    .execute()
  await Promise.all(Array.from({ length: 4 }, () => expireCaptures(lane.resources)))
  await Promise.all(Array.from({ length: 4 }, () => purgeChunks(lane.resources)))
  expect(await left(ids)).toBe(0)
  const stones = await database.db
    .selectFrom('capture_tombstones')
    .select(['capture_id', 'reason'])
    .where('capture_id', 'in', ids)
    .where('purged_at', 'is not', null)
    .orderBy('capture_id')
    .execute()
  expect(stones).toEqual(ids.toSorted().map((capture_id) => ({ capture_id, reason: 'expired' })))
})

raceTest('a pin that comes before the sweep has the row keeps the capture', async ({ raced }) => {
  const { make, lane, database } = raced
  const captureId = await make()
  await database.db
    .updateTable('captures')
    .set({ expires_at: sql<Date>`now()` })
    .where('id', '=', captureId)
    .execute()
  await using pinning = await holdOpen(database, (trx) =>
    trx.updateTable('captures').set({ pinned: true }).where('id', '=', captureId).execute(),
  )
  await expireCaptures(lane.resources)
  await pinning.commit()
  await expireCaptures(lane.resources)
  const found = await database.db.selectFrom('captures').select('pinned').where('id', '=', captureId).execute()
  expect(found).toEqual([{ pinned: true }])
})
