import { request as httpRequest } from 'node:http'
import { CAPTURE_LIMITS } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  chunkOf,
  lineAt,
  seedCapture,
  seedMember,
  seedNode,
  seedWorkspace,
  startDataLane,
  totalsOf,
  upload,
  type DataLane,
  type Workspace,
} from '../../test/capture-fixture.ts'

const T0 = 1_795_500_000_000_000
const BOUND = 64 * 2 ** 20
const outcomes = (answer: { results: { outcome: string }[] }) => answer.results.map((result) => result.outcome)
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => lineAt(T0 + from + at, `k${at}`))
const heldBytes = async ({ resources }: DataLane): Promise<number> =>
  (await resources.metrics.uploadMemory.get()).values[0]?.value ?? 0

/** How many transactions wrote the chunks of captures. */
const transactionsOf = async (lane: DataLane, captureIds: string[]): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    select count(distinct xmin::text)::int as count from capture_chunks where capture_id = any(${captureIds}::uuid[])`.execute(
    lane.resources.db,
  )
  return rows[0]!.count
}

dbTest(
  "uploads of many nodes share transactions, and a damaged chunk and a stranger's fail alone",
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const spaces: (Workspace & { captureId: string })[] = []
    for (let at = 0; at < 24; at += 1) {
      const workspace = await seedWorkspace(db)
      spaces.push({ ...workspace, captureId: await seedCapture(db, workspace, 1) })
    }
    const bodies = await Promise.all(
      spaces.map(async ({ captureId }) => [
        await chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 50)),
        await chunkOf({ captureId, segmentNo: 0, seq: 1 }, lines(50, 50)),
      ]),
    )
    // The same chunks from another session's node, in the same groups.
    const [victim, stranger] = [spaces[0]!, spaces[1]!]
    const foreign = Array.from({ length: 8 }, () => upload(lane.url, stranger.nodeToken, bodies[0]!))
    const damaged = await chunkOf({ captureId: spaces[2]!.captureId, segmentNo: 0, seq: 2 }, lines(0, 10))
    damaged[damaged.length - 5]! ^= 1
    const forged = await chunkOf({ captureId: spaces[3]!.captureId, segmentNo: 0, seq: 0 }, lines(7, 50))
    const [answers, bad] = await Promise.all([
      Promise.all(spaces.map((space, at) => upload(lane.url, space.nodeToken, bodies[at]!))),
      Promise.all([
        upload(lane.url, spaces[2]!.nodeToken, [damaged]),
        upload(lane.url, victim.nodeToken, [
          await chunkOf({ captureId: stranger.captureId, segmentNo: 0, seq: 5 }, lines(0, 1)),
        ]),
      ]),
    ])
    expect(answers.map(outcomes)).toEqual(spaces.map(() => ['stored', 'stored']))
    expect(bad.map(outcomes)).toEqual([['chunk.checksum_mismatch'], ['capture.not_found']])
    expect((await Promise.all(foreign)).map(outcomes)).toEqual(
      foreign.map(() => ['capture.not_found', 'capture.not_found']),
    )
    expect(outcomes(await upload(lane.url, spaces[3]!.nodeToken, [forged]))).toEqual(['chunk.content_mismatch'])
    for (const { captureId } of spaces) {
      expect(await totalsOf(db, captureId, 0)).toMatchObject({ chunkCount: 2, lineCount: 100 })
    }
    const transactions = await transactionsOf(
      lane,
      spaces.map(({ captureId }) => captureId),
    )
    expect(transactions).toBeLessThan(spaces.length / 2)
  },
)

dbTest(
  'a chunk that the database cannot store fails alone, and its neighbours of the same upload are stored',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const captureId = await seedCapture(db, workspace, 1)
    await sql`create function poison() returns trigger language plpgsql as $$
      begin if new.seq = 5 then raise exception 'poison' using errcode = 'P0001'; end if; return new; end $$`.execute(
      db,
    )
    await sql`create trigger poison before insert on capture_chunks_20261124 for each row execute function poison()`.execute(
      db,
    )
    try {
      const chunks = await Promise.all(
        Array.from({ length: 9 }, (_, seq) => chunkOf({ captureId, segmentNo: 0, seq }, lines(seq, 5))),
      )
      const expected = chunks.map((_, seq) => (seq === 5 ? 'internal.unexpected' : 'stored'))
      expect(outcomes(await upload(lane.url, workspace.nodeToken, chunks))).toEqual(expected)
      expect(await totalsOf(db, captureId, 0)).toMatchObject({ chunkCount: 8, lineCount: 40 })
    } finally {
      await sql`drop trigger poison on capture_chunks_20261124`.execute(db)
    }
  },
)

dbTest(
  'a segment that another transaction holds does not hold up the others: its chunks are sent again',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const [held, free] = [await seedCapture(db, workspace, 1), await seedCapture(db, workspace, 1)]
    const chunks = await Promise.all(
      [held, free].map((captureId) => chunkOf({ captureId, segmentNo: 0, seq: 0 }, lines(0, 5))),
    )
    await db.transaction().execute(async (trx) => {
      await sql`select 1 from capture_segments where capture_id = ${held} for update`.execute(trx)
      const answer = await upload(lane.url, workspace.nodeToken, chunks)
      expect(outcomes(answer)).toEqual(['database.unavailable', 'stored'])
    })
    expect(outcomes(await upload(lane.url, workspace.nodeToken, chunks))).toEqual(['stored', 'duplicate'])
  },
)

dbTest(
  'whatever nodes send, bodies hold at most 64 MiB: the sockets of the others are not read until there is room',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const nodes = [workspace, ...(await Promise.all(Array.from({ length: 7 }, () => seedNode(db, workspace))))]
    const whole = Buffer.alloc(CAPTURE_LIMITS.uploadBytes)
    // Each announces the longest upload and sends all of it but one byte, as fast as the socket takes it.
    const posts = nodes.map(({ nodeToken }) => {
      const post = httpRequest(`${lane.url}/data/chunks`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${nodeToken}`,
          'content-type': 'application/octet-stream',
          'content-length': whole.length,
        },
      })
      post.on('error', () => undefined)
      let isSent = false
      post.write(whole.subarray(1), () => (isSent = true))
      return { post, isSent: () => isSent }
    })
    await poll(() => posts.filter(({ isSent }) => isSent()).length === 4, { what: 'four bodies to be taken' })
    expect(await heldBytes(lane)).toBe(BOUND)
    expect(posts.filter(({ isSent }) => isSent())).toHaveLength(4)
    // An upload that ends, however, makes room for the next.
    posts.find(({ isSent }) => isSent())!.post.destroy()
    await poll(() => posts.filter(({ isSent }) => isSent()).length === 5, { what: 'a fifth body to be taken' })
    expect(await heldBytes(lane)).toBe(BOUND)
    for (const { post } of posts) post.destroy()
    await poll(async () => (await heldBytes(lane)) === 0, { what: 'all memory to be given back' })
  },
)

dbTest(
  'thirty nodes that upload as fast as they can stay within the memory, and every chunk is stored once',
  async ({ database: { db }, databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(db)
    const members = await Promise.all(
      Array.from({ length: 30 }, () => seedMember(db, { sessionId: workspace.sessionId, role: 'operator' })),
    )
    const captures: string[] = []
    for (const member of members) captures.push(await seedCapture(db, { ...workspace, ...member }, 1))
    let most = 0
    const looking = setInterval(() => void heldBytes(lane).then((now) => (most = Math.max(most, now))), 1)
    try {
      const noise = Buffer.from(
        Array.from({ length: 60_000 }, (_, at) => 33 + ((at * 7919 + (at >> 3)) % 90)),
      ).toString()
      await Promise.all(
        members.map(async ({ nodeToken }, at) => {
          for (let round = 0; round < 4; round += 1) {
            const chunks = await Promise.all(
              [0, 1, 2, 3].map((each) => {
                const ref = { captureId: captures[at]!, segmentNo: 0, seq: round * 4 + each }
                return chunkOf(ref, [lineAt(T0 + each, `${at}/${round}/${noise.slice(each)}`)])
              }),
            )
            const twice = await Promise.all([
              upload(lane.url, nodeToken, chunks),
              upload(lane.url, nodeToken, chunks.toReversed()),
            ])
            const all = twice.flatMap(outcomes).toSorted()
            expect(all).toEqual([...Array<string>(4).fill('duplicate'), ...Array<string>(4).fill('stored')])
          }
        }),
      )
    } finally {
      clearInterval(looking)
    }
    for (const captureId of captures) expect((await totalsOf(db, captureId, 0)).chunkCount).toBe(16)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(BOUND)
    expect(await transactionsOf(lane, captures)).toBeLessThan(30 * 4)
  },
)
