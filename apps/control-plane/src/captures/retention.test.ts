import { get } from 'node:http'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { CAPTURE_LIMITS, DAY_MS, type Capture, type RetentionPreview } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql, type Kysely } from 'kysely'
import { expect } from 'vitest'
import {
  chunkOf,
  DAY,
  finishCapture,
  lineAt,
  seedCapture,
  seedMember,
  seedWorkspace,
  startDataLane,
  upload,
  type DataLane,
} from '../../test/capture-fixture.ts'
import { makeWorld } from '../../test/procedure-world.ts'
import { call, query } from '../../test/support.ts'
import { finish, linesOf, record, view } from '../../test/tail-viewer.ts'
import { ensurePartition } from './partition.ts'
import { purgeSome } from './purge.ts'
import { expireCaptures, purgeChunks } from './retention.ts'

const T0 = 1_795_500_000_000_000

const purgeAll = async ({ resources }: DataLane): Promise<void> => {
  while (await purgeChunks(resources)) continue
}

const countOf = async (
  db: Kysely<Schema>,
  table: 'capture_chunks' | 'capture_summaries' | 'capture_segments' | 'node_commands',
  captureId: string,
): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ${sql.table(table)} where capture_id = ${captureId}`.execute(db)
  return rows[0]?.count ?? -1
}

const presentOf = async (db: Kysely<Schema>, ids: string[]): Promise<string[]> => {
  const rows = await db.selectFrom('captures').select('id').where('id', 'in', ids).orderBy('id').execute()
  return rows.map((row) => row.id)
}

/** Puts chunks straight into the table, each with a summary. */
const fill = async (db: Kysely<Schema>, captureId: string, chunks: number): Promise<void> => {
  await sql`
    insert into capture_chunks (partition_day, capture_id, segment_no, seq, node_id, raw_bytes, line_count, first_event_us,
      last_event_us, sha256, encoding, dialect, flags, policy_revision, body)
    select ${DAY}, ${captureId}, 0, n, 'node', 1, 1, -1, -1, '', 0, 0, 0, 0, '\\x00'
    from generate_series(0, ${chunks - 1}::int) n`.execute(db)
  await sql`
    insert into capture_summaries (partition_day, capture_id, segment_no, seq, body)
    select ${DAY}, ${captureId}, 0, n, '\\x00' from generate_series(0, ${chunks - 1}::int) n`.execute(db)
}

const expireNow = async (db: Kysely<Schema>, captureId: string): Promise<void> => {
  await db
    .updateTable('captures')
    .set({ expires_at: sql<Date>`now() - interval '1 second'` })
    .where('id', '=', captureId)
    .execute()
}

dbTest(
  'a capture is deleted by who started it or an owner, once it has ended and is not pinned',
  async ({ database, databaseUrl }) => {
    const { db } = database
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const operator = await seedMember(db, { sessionId: workspace.sessionId, role: 'operator' })
    const owned = await seedCapture(db, workspace, 1)
    const own = await seedCapture(db, { ...workspace, participantId: operator.participantId }, 1)
    const remove = async (token: string, id: string) => {
      const { data, error } = await call(lane.url, token, 'captures.delete', { id })
      return error?.code ?? data
    }
    expect(await remove(workspace.personToken, owned)).toBe('capture.still_running')
    for (const id of [owned, own]) await finishCapture(db, id)
    expect(await remove(operator.personToken, owned)).toBe('auth.role_required')
    const pinned = await call(lane.url, operator.personToken, 'captures.pin', { id: owned, pinned: true })
    expect(pinned.data).toMatchObject({ id: owned, pinned: true })
    expect(await remove(workspace.personToken, owned)).toBe('capture.pinned')
    await call(lane.url, operator.personToken, 'captures.pin', { id: owned, pinned: false })
    expect(await remove(workspace.personToken, owned)).toEqual({ id: owned, lineCount: 0, byteCount: 0 })
    expect(await remove(operator.personToken, own)).toEqual({ id: own, lineCount: 0, byteCount: 0 })
    expect(await remove(operator.personToken, own)).toBe('capture.not_found')
    const stones = await db
      .selectFrom('capture_tombstones')
      .select(['capture_id', 'reason', 'deleted_by'])
      .where('capture_id', 'in', [owned, own])
      .orderBy('capture_id')
      .execute()
    expect(stones).toEqual([
      { capture_id: owned, reason: 'deleted', deleted_by: workspace.participantId },
      { capture_id: own, reason: 'deleted', deleted_by: operator.participantId },
    ])
  },
)

dbTest('after a delete nothing of the capture is found, and nothing comes back', async ({ database, databaseUrl }) => {
  const { db } = database
  await using lane = await startDataLane(databaseUrl)
  const world = await makeWorld(database, lane.url)
  const { captureId: id, nodeId, epoch, tokens } = world
  const chunk = (seq: number) =>
    chunkOf({ captureId: id, segmentNo: 0, seq }, linesOf(T0, 3), { summary: Buffer.from('s') })
  await upload(lane.url, tokens.node!, [await chunk(0), await chunk(1)])
  await finishCapture(db, id)
  await db.updateTable('capture_segments').set({ storage: 'incomplete' }).where('capture_id', '=', id).execute()
  const removed = await call(lane.url, tokens.owner, 'captures.delete', { id })
  expect(removed.data).toMatchObject({ id, lineCount: 6 })

  expect((await query(lane.url, tokens.owner, 'captures.get', { id })).error?.code).toBe('capture.not_found')
  const exported = await fetch(`${lane.url}/export/captures/${id}`, {
    headers: { authorization: `Bearer ${tokens.owner}` },
  })
  expect(exported.status).toBe(404)
  await using viewer = view(lane, id)
  await expect(viewer.done).rejects.toMatchObject({ code: 'capture.not_found' })

  const late = await upload(lane.url, tokens.node!, [await chunk(2), await chunk(0)])
  expect(late.results.map(({ outcome }) => outcome)).toEqual(['capture.gone', 'capture.gone'])
  // Whoever is not of the session does not even learn that there was one.
  const foreign = await upload(lane.url, tokens.foreignNode!, [await chunk(2)])
  expect(foreign.results.map(({ outcome }) => outcome)).toEqual(['capture.not_found'])
  const root = createHash('sha256').digest('hex')
  const manifest = await call(lane.url, tokens.node, 'segments.manifest', {
    nodeId,
    epoch,
    captureId: id,
    segmentNo: 0,
    manifest: { chunks: 0, lines: 0, bytes: 0, root },
  })
  expect(manifest.error?.code).toBe('capture.gone')
  const asked = { nodeId, epoch, segments: [{ captureId: id, segmentNo: 0 }] }
  expect((await query(lane.url, tokens.node, 'segments.committed', asked)).data).toMatchObject({
    segments: [{ status: null }],
  })

  await purgeAll(lane)
  for (const table of ['capture_chunks', 'capture_summaries', 'capture_segments', 'node_commands'] as const) {
    expect(await countOf(db, table, id), table).toBe(0)
  }
})

dbTest(
  'what has expired goes whole; what is pinned, runs or is read stays, and the preview says so',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const names = ['expired', 'pinned', 'running', 'reading', 'later', 'never'] as const
    const ids: Partial<Record<(typeof names)[number], string>> = {}
    for (const name of names) {
      const id = await seedCapture(db, workspace, 1)
      ids[name] = id
      await upload(lane.url, workspace.nodeToken, [
        await chunkOf({ captureId: id, segmentNo: 0, seq: 0 }, linesOf(T0, 5)),
      ])
      if (name !== 'running') await finishCapture(db, id)
      if (name !== 'later' && name !== 'never') await expireNow(db, id)
    }
    const { expired, pinned, running, reading, later, never } = ids as Record<(typeof names)[number], string>
    const token = workspace.personToken
    await call(lane.url, token, 'captures.pin', { id: pinned, pinned: true })
    await call(lane.url, token, 'captures.setExpiry', { id: later, afterMs: 2 * DAY_MS })
    await (
      await fetch(`${lane.url}/export/captures/${reading}`, { headers: { authorization: `Bearer ${token}` } })
    ).text()

    const preview = async (withinMs?: number) => {
      const input = { sessionId: workspace.sessionId, ...(withinMs !== undefined && { withinMs }) }
      return (await query(lane.url, token, 'captures.retentionPreview', input)).data as RetentionPreview
    }
    const now = await preview(0)
    const one = expect.objectContaining({ captures: 1, lines: 5, bytes: expect.any(Number) })
    expect(now.totals.map(({ heldBy }) => heldBy)).toEqual([null, 'pin', 'reading', 'running'])
    expect(now.totals).toEqual([one, one, one, one])
    expect(now.captures.map(({ id, heldBy }) => [id, heldBy])).toEqual([
      [expired, null],
      [pinned, 'pin'],
      [running, 'running'],
      [reading, 'reading'],
    ])
    expect(now.defaultDays).toBe(30)
    expect((await preview()).captures.map(({ id }) => id)).toEqual([expired, pinned, running, reading, later])

    expect(await expireCaptures(lane.resources)).toBe(false)
    const kept = [pinned, running, reading, later, never]
    expect(await presentOf(db, [expired, ...kept])).toEqual(kept.toSorted())
    await purgeAll(lane)
    expect(await countOf(db, 'capture_chunks', expired)).toBe(0)
    for (const id of kept) expect(await countOf(db, 'capture_chunks', id)).toBe(1)

    // Unpinned, it is there for an hour more; once the export is over for long, its expiry comes.
    const unpinned = await call(lane.url, token, 'captures.pin', { id: pinned, pinned: false })
    const { expiresAt } = unpinned.data as Capture
    expect(Date.parse(expiresAt!) - Date.now()).toBeGreaterThan(CAPTURE_LIMITS.expiryMs.min - 60_000)
    await db
      .updateTable('captures')
      .set({ read_until: sql<Date>`now() - interval '1 second'` })
      .where('id', '=', reading)
      .execute()
    await expireCaptures(lane.resources)
    expect(await presentOf(db, kept)).toEqual([pinned, running, later, never].toSorted())
    expect((await call(lane.url, token, 'captures.setExpiry', { id: later, afterMs: null })).data).toMatchObject({
      expiresAt: null,
    })
    const soon = await call(lane.url, token, 'captures.setExpiry', { id: later, afterMs: 60_000 })
    expect(soon.error?.code).toBe('request.invalid')
  },
)

dbTest('chunks go in bounded batches, and those of neighbours stay', async ({ database: { db }, databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  await purgeAll(lane)
  const workspace = await seedWorkspace(db)
  const large = await seedCapture(db, workspace, 1)
  const neighbour = await seedCapture(db, workspace, 1)
  for (const id of [large, neighbour]) {
    await fill(db, id, 1200)
    await finishCapture(db, id)
  }
  await call(lane.url, workspace.personToken, 'captures.delete', { id: large })
  for (const left of [700, 200, 0]) {
    expect(await purgeSome(db)).toBe(true)
    expect(await countOf(db, 'capture_chunks', large)).toBe(left)
    expect(await countOf(db, 'capture_summaries', large)).toBe(left)
  }
  expect(await purgeSome(db)).toBe(false)
  expect(await countOf(db, 'capture_chunks', neighbour)).toBe(1200)
  expect(await countOf(db, 'capture_summaries', neighbour)).toBe(1200)
})

const tablesOf = async (db: Kysely<Schema>, day: string): Promise<string[]> => {
  const { rows } = await sql<{ relname: string }>`
    select relname from pg_class where relkind = 'r' and relname like ${`%\\_${day.replaceAll('-', '')}`}
    order by 1`.execute(db)
  return rows.map(({ relname }) => relname)
}

dbTest(
  'a day without captures is dropped whole, once nobody uses its table',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const days = ['2001-01-01', '2001-01-02', new Date().toISOString().slice(0, 10)] as const
    const ids: string[] = []
    for (const day of days) {
      const id = await seedCapture(db, workspace, 1)
      ids.push(id)
      await db.updateTable('captures').set({ partition_day: day }).where('id', '=', id).execute()
      await inTransaction(db, (trx) => ensurePartition(trx, day))
      const chunk = await chunkOf({ captureId: id, segmentNo: 0, seq: 0 }, [lineAt(T0, 'k')])
      expect((await upload(lane.url, workspace.nodeToken, [chunk])).results[0]?.outcome).toBe('stored')
      await finishCapture(db, id)
    }
    const [gone, kept, today] = days
    const [deleted, , deletedToday] = ids
    for (const id of [deleted, deletedToday]) await call(lane.url, workspace.personToken, 'captures.delete', { id })

    await db.transaction().execute(async (reader) => {
      await reader.selectFrom('capture_chunks').select('seq').where('partition_day', '=', gone).execute()
      await purgeAll(lane)
      expect(await tablesOf(db, gone)).toEqual(['capture_chunks_20010101', 'capture_summaries_20010101'])
    })
    await purgeAll(lane)
    expect(await tablesOf(db, gone)).toEqual([])
    expect(await tablesOf(db, kept)).toHaveLength(2)
    expect(await tablesOf(db, today)).toHaveLength(2)
    expect(await countOf(db, 'capture_chunks', deletedToday!)).toBe(0)
    expect(lane.logs.filter((line) => Number(line['level']) >= 50)).toEqual([])
  },
)

dbTest('a tail whose capture is deleted under it does not end as if it were whole', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { captureId, personToken } = await record(lane, [Array.from({ length: 4 }, (_, seq) => linesOf(T0 + seq, 600))])
  await finish(lane, captureId)
  let unsent = 0
  const viewer = view(lane, captureId, {}, () => {
    if (viewer.rows().length > 0) unsent = isPurged ? 0 : 2 ** 21
    return unsent
  })
  await using _viewer = viewer
  let isPurged = false
  await poll(() => viewer.rows().length > 0, { what: 'the first lines' })
  await call(lane.url, personToken, 'captures.delete', { id: captureId })
  await purgeAll(lane)
  isPurged = true
  await expect(viewer.done).rejects.toMatchObject({ code: 'capture.not_found' })
  expect(viewer.rows().length).toBeLessThan(2400)
})

dbTest('an export whose capture is deleted under it is cut off, not ended', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const wide = (seq: number) => Array.from({ length: 6 }, (_, at) => lineAt(T0 + seq * 10 + at, 'x'.repeat(200_000)))
  const { captureId, personToken } = await record(lane, [Array.from({ length: 60 }, (_, seq) => wide(seq))])
  await finish(lane, captureId)
  const headers = { authorization: `Bearer ${personToken}` }
  const [response] = await once(get(`${lane.url}/export/captures/${captureId}`, { headers }), 'response')
  await call(lane.url, personToken, 'captures.delete', { id: captureId })
  await purgeAll(lane)
  await expect(once(response.resume(), 'end')).rejects.toThrow(/aborted/)
})
