import { analysisDiffSchema, crossReferenceSchema, type AnalysisDiff } from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  chunkOf,
  finishCapture,
  seedCapture,
  seedMember,
  seedWorkspace,
  startDataLane,
  upload,
  type DataLane,
  type Workspace,
} from '../../test/capture-fixture.ts'

const T0 = 1_795_500_000_000_000

interface Recorded {
  lines: string[]
  /** Seconds before now; null leaves the capture running. */
  startedAgo: number | null
  seconds?: number
  /** Another capture whose target it has. */
  like?: string
}

const repeat = (command: string, times: number): string[] =>
  Array.from({ length: times }, (_, at) => {
    const time = `${Math.floor((T0 + at) / 1e6)}.${String((T0 + at) % 1e6).padStart(6, '0')}`
    return `${time} [0 10.0.0.1:5] ${command
      .split(' ')
      .map((word) => `"${word}"`)
      .join(' ')}`
  })

/** A capture whose lines came in through the data lane. */
const record = async (lane: DataLane, workspace: Workspace, recorded: Recorded): Promise<string> => {
  const { db } = lane.resources
  const { lines, startedAgo, seconds = 10, like } = recorded
  const captureId = await seedCapture(db, workspace, 1)
  if (like !== undefined) {
    await sql`update capture_segments set status = 'completed', target_id =
      (select target_id from capture_segments where capture_id = ${like}) where capture_id = ${captureId}`.execute(db)
  }
  for (let seq = 0; seq * 50 < lines.length; seq += 1) {
    const chunk = await chunkOf({ captureId, segmentNo: 0, seq }, lines.slice(50 * seq, 50 * seq + 50))
    const { results } = await upload(lane.url, workspace.nodeToken, [chunk])
    expect(results).toMatchObject([{ outcome: 'stored' }])
  }
  const ago = startedAgo ?? 1
  const from = sql<Date>`now() - make_interval(secs => ${ago}::float8)`
  const to = sql<Date>`now() - make_interval(secs => ${ago - seconds}::float8)`
  if (startedAgo !== null) await finishCapture(db, captureId)
  const ended = startedAgo !== null && { ended_at: to }
  await db
    .updateTable('captures')
    .set({ started_at: from, ...ended })
    .where('id', '=', captureId)
    .execute()
  const segment = { begun_at: from, ...ended }
  await db.updateTable('capture_segments').set(segment).where('capture_id', '=', captureId).execute()
  return captureId
}

const ask = async (
  lane: DataLane,
  token: string,
  { path, input }: { path: string; input: unknown },
): Promise<unknown> => {
  const url = `${lane.url}/trpc/analysis.${path}?input=${encodeURIComponent(JSON.stringify(input))}`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const body = (await answer.json()) as {
    result?: { data: unknown }
    error?: { data: { sondeError: { code: string } } }
  }
  return body.result?.data ?? body.error?.data.sondeError.code
}
const texts = (list: AnalysisDiff['shapes']) => list.rows.map(({ text, change }) => `${text} ${change}`)

dbTest('two captures are compared by the lines that were uploaded', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(lane.resources.db)
  const a = await record(lane, workspace, {
    lines: [...repeat('GET user:1', 300), ...repeat('DEL cart:7', 60)],
    startedAgo: 100,
  })
  const b = await record(lane, workspace, { lines: repeat('GET user:1', 600), startedAgo: 80, seconds: 20 })
  const diffOf = async (input: unknown) =>
    analysisDiffSchema.parse(await ask(lane, workspace.personToken, { path: 'diff', input }))
  const diff = await diffOf({ a, b })
  expect(diff.a).toMatchObject({ captureIds: [a], lines: 360, counted: 360 })
  expect(diff.a.seconds).toBeCloseTo(10, 3)
  expect(texts(diff.shapes)).toEqual(['DEL 1 cart:{n} onlyA'])
  expect(diff.caveats.map(({ kind }) => kind)).toEqual(['targets'])
  expect(texts((await diffOf({ a: b, b: a })).shapes)).toEqual(['DEL 1 cart:{n} onlyB'])

  const same = await diffOf({ a, b: a })
  expect(same).toMatchObject({ same: true, shapes: { rows: [] }, a: { counted: 360 } })

  const stranger = await seedWorkspace(lane.resources.db)
  const theirs = await record(lane, stranger, { lines: repeat('PING', 1), startedAgo: 10 })
  expect(await ask(lane, workspace.personToken, { path: 'diff', input: { a, b: theirs } })).toBe('capture.not_found')
  const { personToken } = await seedMember(lane.resources.db, { sessionId: workspace.sessionId, role: 'viewer' })
  expect(await ask(lane, personToken, { path: 'diff', input: { a, b } })).toMatchObject({ same: false })
})

dbTest('what is not counted in the time given is said', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(lane.resources.db)
  const a = await record(lane, workspace, { lines: repeat('PING', 60), startedAgo: null })
  const b = await record(lane, workspace, { lines: repeat('PING', 60), startedAgo: 50 })
  const input = { a, b, waitMs: 0 }
  const diff = analysisDiffSchema.parse(await ask(lane, workspace.personToken, { path: 'diff', input }))
  expect(diff.caveats.find(({ kind }) => kind === 'uncounted')).toEqual({
    kind: 'uncounted',
    a: '60 lines are not counted yet',
    b: '60 lines are not counted yet',
  })
  expect(diff.caveats.find(({ kind }) => kind === 'running')).toMatchObject({ a: 'still running', b: null })
})

dbTest("a capture is told by its targets' earlier ones in the window, and by no others", async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(lane.resources.db)
  const hour = 3600
  const capture = await record(lane, workspace, {
    lines: [...repeat('GET user:1', 60), ...repeat('KEYS x', 20)],
    startedAgo: hour,
  })
  const earlier = (command: string, startedAgo: number, like: string | null = capture) =>
    record(lane, workspace, { lines: repeat(command, 100), startedAgo, ...(like && { like }) })
  const near = await earlier('GET user:1', 3 * hour)
  const atEdge = await earlier('GET edge:1', 25 * hour - 60)
  await earlier('KEYS x', 25 * hour + 60)
  await earlier('KEYS x', 2 * hour, null)
  await record(lane, workspace, { lines: repeat('KEYS x', 9), startedAgo: hour + 5, seconds: 10, like: capture })
  const lastWeek = await earlier('KEYS x', 169 * hour - 60)
  const oldest = await earlier('KEYS x', 169 * hour + 60)
  const xref = async (baseline: string) => {
    const input = { captureId: capture, baseline }
    return crossReferenceSchema.parse(await ask(lane, workspace.personToken, { path: 'crossReference', input }))
  }

  const day = await xref('24h')
  expect(day.b.captureIds).toEqual([near, atEdge])
  expect(texts(day.shapes)).toEqual(['GET 1 edge:{n} onlyB', 'KEYS 1 onlyA'])
  expect(day.baseline.window).toBe('24h')
  expect(day.baseline.toUs! - day.baseline.fromUs!).toBe(24 * hour * 1e6)
  expect(day.baseline.coverage).toBeCloseTo(20 / (24 * hour), 6)
  expect(day.unavailable.map(({ axis }) => axis)).toEqual(['slow', 'access'])

  expect((await xref('6h')).b.captureIds).toEqual([near])
  expect((await xref('sameHour')).b.captureIds).toEqual([lastWeek])
  expect(await xref(near)).toMatchObject({ baseline: { window: 'capture', fromUs: null }, b: { captureIds: [near] } })

  const first = crossReferenceSchema.parse(
    await ask(lane, workspace.personToken, { path: 'crossReference', input: { captureId: oldest, baseline: '6h' } }),
  )
  expect(first.caveats).toEqual([{ kind: 'empty', a: null, b: 'no lines' }])
  expect(texts(first.shapes)).toEqual(['KEYS 1 onlyA'])
  const wrong = await ask(lane, workspace.personToken, {
    path: 'crossReference',
    input: { captureId: capture, baseline: '3h' },
  })
  expect(wrong).toBe('request.invalid')
})
