import { request as httpRequest } from 'node:http'
import { once } from 'node:events'
import { LATEST_EVENT_US } from '@sonde/capture-format'
import { CAPTURE_LIMITS, newId, TokenKind } from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  chunkOf,
  DAY,
  finishSegment,
  lineAt,
  seedCapture,
  seedMember,
  seedNode,
  seedToken,
  seedWorkspace,
  startDataLane,
  totalsOf,
  upload,
} from '../../test/capture-fixture.ts'

const T0 = 1_795_500_000_000_000
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => lineAt(T0 + from + index, `key${from + index}`))
const outcomes = (answer: { results: { outcome: string }[] }) => answer.results.map((result) => result.outcome)

dbTest(
  'chunks are stored byte for byte and counted once in the totals of their segment',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 2)
    const first = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 100))
    const second = await chunkOf({ captureId, segmentNo: 0, seq: 1 }, lines(100, 50), { summary: Buffer.from('sum') })
    const other = await chunkOf({ captureId, segmentNo: 1, seq: 0 }, lines(7, 1))
    const answer = await upload(lane.url, workspace.nodeToken, [second, first, other])
    expect(answer.results).toEqual([
      { captureId, segmentNo: 0, seq: 1, outcome: 'stored' },
      { captureId, segmentNo: 0, seq: 0, outcome: 'stored' },
      { captureId, segmentNo: 1, seq: 0, outcome: 'stored' },
    ])
    const bytes = lines(0, 150).reduce((sum, line) => sum + line.length + 1, 0)
    expect(await totalsOf(db, captureId, 0)).toEqual({
      byteCount: bytes,
      lineCount: 150,
      chunkCount: 2,
      firstEventUs: T0,
      lastEventUs: T0 + 149,
    })
    expect(await totalsOf(db, captureId, 1)).toMatchObject({ lineCount: 1, chunkCount: 1 })
    const rows = await db
      .selectFrom('capture_chunks')
      .select(['segment_no', 'seq', 'body', 'node_id', 'origin', 'partition_day'])
      .where('capture_id', '=', captureId)
      .orderBy('segment_no')
      .orderBy('seq')
      .execute()
    expect(rows.map(({ segment_no, seq }) => [segment_no, seq])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ])
    expect(rows[1]).toMatchObject({ node_id: workspace.nodeId, origin: 'live', partition_day: DAY })
    expect(rows[1]?.body.equals(second.subarray(123))).toBe(true)
    const summaries = await db
      .selectFrom('capture_summaries')
      .select(['seq', 'body'])
      .where('capture_id', '=', captureId)
      .execute()
    expect(summaries).toEqual([{ seq: 1, body: Buffer.from('sum') }])
    expect(await lane.resources.metrics.registry.metrics()).toContain('chunks_ingested_total{outcome="stored"} 3')
  },
)

dbTest(
  'the same chunk again is a duplicate, and other bytes under its number are refused',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const at = { captureId, segmentNo: 0, seq: 0 }
    const original = await chunkOf(at, lines(0, 10))
    const forged = await chunkOf(at, lines(5, 10))
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [original, original, forged]))).toEqual([
      'stored',
      'duplicate',
      'chunk.content_mismatch',
    ])
    const before = await totalsOf(db, captureId, 0)
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [forged, original]))).toEqual([
      'chunk.content_mismatch',
      'duplicate',
    ])
    expect(await totalsOf(db, captureId, 0)).toEqual(before)
    expect(before.chunkCount).toBe(1)
    const alarms = lane.logs.filter((line) => line['level'] === 50)
    expect(alarms).toHaveLength(2)
    expect(alarms[0]).toMatchObject({ captureId, segmentNo: 0, seq: 0 })
  },
)

dbTest(
  'a damaged chunk is asked for again while the rest of its upload is stored',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const whole = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10))
    const damaged = await chunkOf({ captureId, segmentNo: 0, seq: 1 }, lines(10, 10))
    damaged[damaged.length - 5]! ^= 1
    const answer = await upload(lane.url, workspace.nodeToken, [damaged, whole])
    expect(outcomes(answer)).toEqual(['chunk.checksum_mismatch', 'stored'])
    damaged[damaged.length - 5]! ^= 1
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [damaged]))).toEqual(['stored'])
    expect(await totalsOf(db, captureId, 0)).toMatchObject({ chunkCount: 2, lineCount: 20 })
  },
)

dbTest('a chunk with more lines than a daemon may cut is refused, alone', async ({ database: { db }, databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, 1)
  const long = `${lineAt(T0, 'k')}${' "x"'.repeat(500_000)}`
  const large = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, [long])
  const allowed = await chunkOf({ captureId, segmentNo: 0, seq: 1 }, [long.slice(0, CAPTURE_LIMITS.maxLineBytes)])
  expect(outcomes(await upload(lane.url, workspace.nodeToken, [large, allowed]))).toEqual(['chunk.too_large', 'stored'])
})

dbTest(
  'a chunk whose number or times cannot be is refused, alone, and the log says what is wrong with it',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const at = (seq: number, times: { firstEventUs?: number; lastEventUs?: number } = {}) =>
      chunkOf({ captureId, segmentNo: 0, seq }, lines(0, 1), times)
    const answer = await upload(lane.url, workspace.nodeToken, [
      await at(CAPTURE_LIMITS.segmentChunks - 1),
      await at(0, { firstEventUs: -1, lastEventUs: -1 }),
      await at(1, { firstEventUs: LATEST_EVENT_US, lastEventUs: LATEST_EVENT_US }),
      await at(CAPTURE_LIMITS.segmentChunks),
      await at(Number.MAX_SAFE_INTEGER),
      await at(2, { firstEventUs: T0 + 1, lastEventUs: T0 }),
      await at(3, { firstEventUs: -1, lastEventUs: T0 }),
      await at(4, { firstEventUs: -2, lastEventUs: -2 }),
      await at(5, { firstEventUs: T0, lastEventUs: LATEST_EVENT_US + 1 }),
    ])
    const refused = 'chunk.malformed'
    expect(outcomes(answer)).toEqual(['stored', 'stored', 'stored', ...Array.from({ length: 6 }, () => refused)])
    expect(await totalsOf(db, captureId, 0)).toMatchObject({ chunkCount: 3, lastEventUs: LATEST_EVENT_US })
    const told = lane.logs.flatMap((line) => (typeof line['wrong'] === 'string' ? [line['wrong']] : []))
    expect(told.map((text) => text.slice(0, 3))).toEqual(['seq', 'seq', 'eve', 'eve', 'eve', 'eve'])
  },
)

dbTest(
  'a body that is not a sequence of whole chunks is refused as a whole',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const whole = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10))
    for (const body of [[], [Buffer.from('hello')], [whole, whole.subarray(0, 40)], [whole.subarray(1)]]) {
      expect(await upload(lane.url, workspace.nodeToken, body)).toMatchObject({ status: 400, code: 'chunk.malformed' })
    }
    const miscounted = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10), { lineCount: 11 })
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [miscounted]))).toEqual(['chunk.malformed'])
    const tiny = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, [lineAt(T0, 'k')])
    const many = Array.from({ length: CAPTURE_LIMITS.uploadChunks + 1 }, () => tiny)
    expect(await upload(lane.url, workspace.nodeToken, many)).toMatchObject({ status: 413, code: 'chunk.too_large' })
    expect((await totalsOf(db, captureId, 0)).chunkCount).toBe(0)
  },
)

dbTest(
  'an upload over the limit is refused before it is read, announced or not',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const post = (headers: Record<string, string | number>) => {
      const sent = httpRequest(`${lane.url}/data/chunks`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${workspace.nodeToken}`,
          'content-type': 'application/octet-stream',
          ...headers,
        },
      })
      sent.on('error', () => {})
      return sent
    }
    const announced = post({ 'content-length': CAPTURE_LIMITS.uploadBytes + 1 })
    announced.flushHeaders()
    const [refusal] = await once(announced, 'response')
    expect(refusal.statusCode).toBe(413)
    announced.destroy()

    const streamed = post({ 'transfer-encoding': 'chunked' })
    const answered = once(streamed, 'response')
    const piece = Buffer.alloc(2 ** 20)
    for (let sent = 0; sent <= CAPTURE_LIMITS.uploadBytes; sent += piece.length) streamed.write(piece)
    const [late] = await answered
    expect(late.statusCode).toBe(413)
    streamed.destroy()

    const typed = post({ 'content-type': 'application/json' })
    typed.end('{}')
    const [wrongType] = await once(typed, 'response')
    expect(wrongType.statusCode).toBe(400)
    typed.destroy()
  },
)

dbTest(
  'only the node of a segment may send its chunks, and no other one of its owner',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const colleague = await seedMember(db, { sessionId: workspace.sessionId, role: 'operator' })
    const stranger = await seedWorkspace(db)
    const sibling = await seedNode(db, workspace)
    const unbound = await seedToken(db, {
      kind: TokenKind.node,
      sessionId: workspace.sessionId,
      participantId: workspace.participantId,
    })
    const chunk = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10))
    const noSegment = await chunkOf({ captureId, segmentNo: 9, seq: 0 }, lines(0, 10))
    const hugeSegment = await chunkOf({ captureId, segmentNo: 2 ** 32 - 1, seq: 0 }, lines(0, 10))
    const noCapture = await chunkOf({ captureId: newId(), segmentNo: 0, seq: 0 }, lines(0, 10))

    for (const { nodeToken } of [sibling, colleague]) {
      expect(outcomes(await upload(lane.url, nodeToken, [chunk]))).toEqual(['chunk.not_accepted'])
    }
    expect(await upload(lane.url, unbound, [chunk])).toMatchObject({ status: 403, code: 'auth.token_bound' })
    expect(outcomes(await upload(lane.url, stranger.nodeToken, [chunk]))).toEqual(['capture.not_found'])
    expect(await upload(lane.url, workspace.personToken, [chunk])).toMatchObject({
      status: 403,
      code: 'auth.kind_required',
    })
    expect(await upload(lane.url, '', [chunk])).toMatchObject({ status: 401 })
    expect((await totalsOf(db, captureId, 0)).chunkCount).toBe(0)
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [noSegment, hugeSegment, noCapture, chunk]))).toEqual([
      'chunk.not_accepted',
      'chunk.not_accepted',
      'capture.not_found',
      'stored',
    ])
  },
)

dbTest(
  'a segment that is complete takes nothing new and still knows its own',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    const known = await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10))
    const late = await chunkOf({ captureId, segmentNo: 0, seq: 1 }, lines(10, 10))
    await upload(lane.url, workspace.nodeToken, [known])
    await finishSegment(db, captureId, 0)
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [known, late]))).toEqual([
      'duplicate',
      'chunk.not_accepted',
    ])
    await db
      .updateTable('capture_segments')
      .set({ status: 'lost', storage: 'incomplete' })
      .where('capture_id', '=', captureId)
      .execute()
    const repair = await chunkOf({ captureId, segmentNo: 0, seq: 2 }, lines(20, 10), { isRepair: true })
    expect(outcomes(await upload(lane.url, workspace.nodeToken, [late, repair]))).toEqual(['stored', 'stored'])
    const origins = await db
      .selectFrom('capture_chunks')
      .select('origin')
      .where('capture_id', '=', captureId)
      .orderBy('seq')
      .execute()
    expect(origins.map(({ origin }) => origin)).toEqual(['live', 'repair', 'repair'])
  },
)

dbTest(
  'of sixteen uploads of the same chunks at once each chunk is stored by one',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 2)
    const chunks: Buffer[] = []
    for (const segmentNo of [0, 1]) {
      for (let seq = 0; seq < 8; seq += 1)
        chunks.push(await chunkOf({ captureId, segmentNo, seq }, lines(seq * 20, 20)))
    }
    const orders = Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? chunks : chunks.toReversed()))
    const answers = await Promise.all(orders.map((order) => upload(lane.url, workspace.nodeToken, order)))
    const all = answers.flatMap((answer) => answer.results)
    expect(all).toHaveLength(256)
    expect(all.filter((result) => result.outcome === 'stored')).toHaveLength(16)
    expect(all.filter((result) => result.outcome === 'duplicate')).toHaveLength(240)
    for (const segmentNo of [0, 1]) {
      expect(await totalsOf(db, captureId, segmentNo)).toMatchObject({ chunkCount: 8, lineCount: 160 })
    }
  },
)

dbTest('a full disk refuses the whole upload and keeps nothing of it', async ({ database: { db }, databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, 1)
  await sql`create function disk_full() returns trigger language plpgsql as $$
    begin if new.seq = 1 then raise exception 'no space left' using errcode = '53100'; end if; return new; end $$`.execute(
    db,
  )
  await sql`create trigger disk_full before insert on capture_chunks_20261124 for each row execute function disk_full()`.execute(
    db,
  )
  const chunks = [
    await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 10)),
    await chunkOf({ captureId, segmentNo: 0, seq: 1 }, lines(10, 10)),
  ]
  try {
    const refused = await upload(lane.url, workspace.nodeToken, chunks)
    expect(refused).toMatchObject({ status: 503, code: 'database.disk_full' })
    expect((await totalsOf(db, captureId, 0)).chunkCount).toBe(0)
    const kept = await db.selectFrom('capture_chunks').select('seq').where('capture_id', '=', captureId).execute()
    expect(kept).toEqual([])
  } finally {
    await sql`drop trigger disk_full on capture_chunks_20261124`.execute(db)
  }
  expect(outcomes(await upload(lane.url, workspace.nodeToken, chunks))).toEqual(['stored', 'stored'])
})
