import { createHash } from 'node:crypto'
import { decodeChunkHeader } from '@sonde/capture-format/chunk'
import { encodeProfile, Profile, Profiler } from '@sonde/capture-format/profile'
import { SondeError } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import {
  chunkOf,
  DAY,
  finishCapture,
  lineAt,
  seedCapture,
  seedWorkspace,
  startDataLane,
  upload,
} from '../../../test/capture-fixture.ts'
import type { NewChunk } from '../chunk-store.ts'
import { deleteOthers } from '../delete-others.ts'
import { makeProfiles, sweepProfiles } from './make-profiles.ts'
import { findDueSegments, storeProfile } from './profile-store.ts'
import { mergeProfiles } from './read-profiles.ts'

const T0 = 1_795_500_000_000_000
const linesOf = (seq: number): string[] => [lineAt(T0 + seq, `user:${seq}`), lineAt(T0 + seq + 1, 'hot')]
const expectedOf = (seqs: number[]): Profile => {
  const profile = new Profile()
  const lines = seqs.flatMap(linesOf).map((line) => `${line}\n`)
  new Profiler({ dialect: 'bracket' }).add(profile, Buffer.from(lines.join('')), { hasCutLine: false })
  return profile
}
const NEVER = new AbortController().signal

dbTest('the profiles of a capture are those of its lines, in one row for 256 chunks', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, 1)
  const segment = { captureId, segmentNo: 0 }
  const send = async (seqs: number[]) => {
    const chunks = await Promise.all(seqs.map((seq) => chunkOf({ ...segment, seq }, linesOf(seq))))
    for (let at = 0; at < chunks.length; at += 64) {
      const { results } = await upload(lane.url, workspace.nodeToken, chunks.slice(at, at + 64))
      expect(results.every(({ outcome }) => outcome === 'stored')).toBe(true)
    }
  }
  const make = () => makeProfiles(lane.resources, captureId, NEVER)
  const rows = () => db.selectFrom('capture_profiles').select(['from_seq', 'chunk_count']).orderBy('from_seq').execute()
  const stored = async () => {
    const profile = new Profile()
    await mergeProfiles(db, segment, profile)
    return profile
  }
  const all = Array.from({ length: 300 }, (_, seq) => seq)

  await send(all.slice(0, 200))
  expect(await findDueSegments(db)).toEqual([])
  await send(all.slice(201))
  await make()
  expect(await rows()).toEqual([
    { from_seq: 0, chunk_count: 255 },
    { from_seq: 256, chunk_count: 44 },
  ])
  const without = all.filter((seq) => seq !== 200)
  expect(encodeProfile(await stored())).toEqual(encodeProfile(expectedOf(without)))

  await send([200])
  await finishCapture(db, captureId)
  expect(await findDueSegments(db)).toEqual([{ ...segment, partitionDay: DAY }])
  // As many replicas as there may be: each block is made by one of them, and the others wait for it.
  await Promise.all([make(), make(), make(), make()])
  expect(await rows()).toEqual([
    { from_seq: 0, chunk_count: 256 },
    { from_seq: 256, chunk_count: 44 },
  ])
  expect(encodeProfile(await stored())).toEqual(encodeProfile(expectedOf(all)))
  expect(await findDueSegments(db)).toEqual([])
})

dbTest('a profile of chunks that were replaced is not kept, whenever that was', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, 1)
  const at = { captureId, segmentNo: 0, seq: 0 }
  const chunk = await chunkOf(at, linesOf(0))
  await upload(lane.url, workspace.nodeToken, [chunk])
  const due = { captureId, segmentNo: 0, partitionDay: DAY }
  const rows = () =>
    db.selectFrom('capture_profiles').select('chunk_count').where('capture_id', '=', captureId).execute()
  const made = { fromSeq: 0, chunkCount: 1, profile: encodeProfile(expectedOf([0])) }
  const { sha256 } = decodeChunkHeader(chunk)
  const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

  const keep = (hash: Uint8Array) =>
    inTransaction(db, (trx) => storeProfile(trx, due, { ...made, sha256: hashOf(hash) }))
  expect(await keep(Buffer.alloc(32))).toBe(false)
  expect(await rows()).toEqual([])
  expect(await keep(sha256)).toBe(true)
  expect(await rows()).toEqual([{ chunk_count: 1 }])

  const header = decodeChunkHeader(await chunkOf(at, linesOf(7)))
  const other = { segment: { captureId, segmentNo: 0, partitionDay: DAY }, header } as NewChunk
  await inTransaction(db, (trx) => deleteOthers(trx, [other]))
  expect(await rows()).toEqual([])
})

dbTest('replicas count in the background what has ended, and of what runs whole blocks', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, 2)
  const send = async (segmentNo: number, count: number) => {
    const places = Array.from({ length: count }, (_, seq) => ({ captureId, segmentNo, seq }))
    await upload(lane.url, workspace.nodeToken, await Promise.all(places.map((at) => chunkOf(at, linesOf(at.seq)))))
  }
  await send(0, 258)
  await send(1, 3)
  const rows = () =>
    db
      .selectFrom('capture_profiles')
      .select(['segment_no', 'from_seq', 'chunk_count'])
      .where('capture_id', '=', captureId)
      .orderBy('segment_no')
      .orderBy('from_seq')
      .execute()
  let sweeps: Promise<void>[]
  {
    await using other = await startDataLane(databaseUrl)
    sweeps = [sweepProfiles(lane.resources), sweepProfiles(other.resources)]
    const whole = { segment_no: 0, from_seq: 0, chunk_count: 256 }
    await poll(async () => (await rows()).length > 0, { what: 'the whole block', timeoutMs: 30_000 })
    expect(await rows()).toEqual([whole])
    await finishCapture(db, captureId)
    await poll(async () => (await rows()).length === 3, { what: 'the rest', timeoutMs: 30_000 })
    const rest = { segment_no: 0, from_seq: 256, chunk_count: 2 }
    expect(await rows()).toEqual([whole, rest, { segment_no: 1, from_seq: 0, chunk_count: 3 }])
    expect([...lane.logs, ...other.logs].filter(({ level }) => Number(level) >= 50)).toEqual([])
  }
  await sweeps[1]
})

dbTest('a row that is no profile is a typed error, and goes with its segment', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const captureId = await seedCapture(db, await seedWorkspace(db), 1)
  const row = { capture_id: captureId, segment_no: 0, from_seq: 0, chunk_count: 1, profile: Buffer.from('nonsense') }
  await db.insertInto('capture_profiles').values(row).execute()
  const read = mergeProfiles(db, { captureId, segmentNo: 0 }, new Profile())
  await expect(read).rejects.toThrow(SondeError)
  await expect(read).rejects.toMatchObject({ code: 'analysis.profile_malformed' })
  await db.deleteFrom('capture_segments').where('capture_id', '=', captureId).execute()
  const left = db.selectFrom('capture_profiles').select('from_seq').where('capture_id', '=', captureId)
  expect(await left.execute()).toEqual([])
})
