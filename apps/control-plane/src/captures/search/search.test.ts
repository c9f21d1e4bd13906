import { MonitorLine, parseMonitorLine } from '@sonde/capture-format'
import { compileFilter, parseFilter } from '@sonde/capture-format/filter'
import { encodeSummary, summarizeLines } from '@sonde/capture-format/summary'
import {
  captureSearchSchema,
  systemClock,
  type CaptureSearch,
  type CaptureSearchInput,
  type Facet,
  type SearchRow,
} from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  chunkOf,
  DAY,
  finishCapture,
  seedCapture,
  seedWorkspace,
  startDataLane,
  upload,
  type DataLane,
  type Workspace,
} from '../../../test/capture-fixture.ts'
import { mergedLines, type StoredLines } from '../../../test/read-lines.ts'
import { search } from './search.ts'

const T0 = 1_795_500_000_000_000

const timeOf = (us: number): string => `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`

const line = fc
  .record({
    us: fc.nat(40),
    db: fc.constantFrom('0', '1'),
    client: fc.constantFrom('10.0.0.1:50000', '10.0.0.1:50001', '10.0.0.2:50000', '[::1]:7', 'lua'),
    verb: fc.constantFrom('GET', 'get', 'SET', 'DEL', 'PING'),
    key: fc.constantFrom('user:1', 'user:2', 'cart:1', 'plain', '\\xff:a', 'us\\x65r:1'),
  })
  .map(
    ({ us, db, client, verb, key }) =>
      `${timeOf(T0 + us)} [${db} ${client}] "${verb}"${verb === 'PING' ? '' : ` "${key}"`}`,
  )
const chunk = fc.array(line, { minLength: 1, maxLength: 6 })
const segment = fc.array(chunk, { minLength: 1, maxLength: 4 })
const filterText = fc.constantFrom(
  '',
  'cmd:GET',
  'key:user:*',
  'key:user:1',
  'not key:user:* cmd:@write',
  'client:10.0.0.1',
  'segment:0 or key:cart:1',
  `time:${T0 + 5}..${T0 + 20}`,
  'key:absent',
  'db:1 (cmd:SET or cmd:PING)',
)

/** Sends a chunk as a daemon does, with its summary. */
const store = async (
  lane: DataLane,
  workspace: Workspace,
  at: { captureId: string; segmentNo: number; seq: number },
  lines: string[],
) => {
  const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''), 'latin1')
  const summary = encodeSummary(summarizeLines(bytes, { dialect: 'bracket', hasCutLine: false }))
  const { results } = await upload(lane.url, workspace.nodeToken, [await chunkOf(at, lines, { summary })])
  expect(results).toMatchObject([{ outcome: 'stored' }])
}

const record = async (lane: DataLane, workspace: Workspace, stored: StoredLines): Promise<string> => {
  const captureId = await seedCapture(lane.resources.db, workspace, stored.length)
  for (const [segmentNo, chunks] of stored.entries()) {
    for (const [seq, lines] of chunks.entries()) {
      if (lines) await store(lane, workspace, { captureId, segmentNo, seq }, lines)
    }
  }
  return captureId
}

type Ask = (input: CaptureSearchInput) => Promise<CaptureSearch>

/** Searches over HTTP as the owner; a refusal is thrown as its wire error. */
const asker =
  (lane: DataLane, { personToken }: Workspace): Ask =>
  async (input) => {
    const url = `${lane.url}/trpc/captures.search?input=${encodeURIComponent(JSON.stringify(input))}`
    const answer = await fetch(url, { headers: { authorization: `Bearer ${personToken}` } })
    const body = (await answer.json()) as { result?: { data: unknown }; error?: unknown }
    if (!body.result) throw body.error
    return captureSearchSchema.parse(body.result.data)
  }

/** The lines that match, each read by itself, in the order of their definition. */
const expectedRows = (stored: StoredLines, filter: string) => {
  const parsed = parseFilter(filter)
  const scratch = new MonitorLine()
  return mergedLines(stored).filter(({ segmentNo, text }) => {
    if (parsed === null) return true
    const bytes = Buffer.from(text, 'latin1')
    const error = parseMonitorLine(bytes, 0, bytes.length, scratch)
    return compileFilter(parsed, { segmentNo })(scratch, error)
  })
}

const code = (name: string, words = '') => ({
  data: { sondeError: { code: name, message: expect.stringContaining(words) } },
})

const placeOf = ({ segmentNo, seq, lineNo, line: text }: SearchRow) => ({ segmentNo, seq, lineNo, text })
const sumOf = ({ values, other, none }: Facet): number => values.reduce((sum, { lines }) => sum + lines, other + none)

/** All pages, with something done between two of them. */
const allPages = async (
  ask: Ask,
  input: CaptureSearchInput,
  between: (page: number) => Promise<void> = async () => {},
) => {
  const pages: CaptureSearch[] = []
  for (let cursor: string | null = null; pages.length === 0 || cursor !== null;) {
    const page = await ask({ ...input, ...(cursor !== null && { cursor }) })
    pages.push(page)
    cursor = page.nextCursor
    await between(pages.length)
  }
  return { pages, rows: pages.flatMap((page) => page.rows) }
}

dbTest(
  'a search has the lines that the filter matches, in order, and its counts sum to the total',
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(lane.resources.db)
    const ask = asker(lane, workspace)
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { minLength: 1, maxLength: 3 }),
        filterText,
        fc.integer({ min: 1, max: 9 }),
        async (stored, filter, limit) => {
          const id = await record(lane, workspace, stored)
          const { pages, rows } = await allPages(ask, { ids: [id], filter, limit, counts: 'facets', plan: true })
          const expected = expectedRows(stored, filter)
          expect(rows.map(placeOf)).toEqual(expected)
          const [first] = pages
          expect(first?.total).toEqual({ lines: expected.length, estimated: false })
          const facets = first!.facets!
          for (const facet of [facets.verb, facets.keyPrefix, facets.client]) expect(sumOf(facet)).toBe(expected.length)
          expect(facets.segment.reduce((sum, { lines }) => sum + lines, 0)).toBe(expected.length)
          expect(first?.plan?.chunks).toBe(stored.flat().length)
          expect(pages.slice(1).every((page) => page.total === null)).toBe(true)
          expect((await ask({ ids: [id], filter })).total).toEqual({ lines: expected.length, estimated: false })
        },
      ),
      { numRuns: 12 },
    )
  },
)

dbTest(
  'pages together are one read of what there was at the first of them, while a writer appends',
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const workspace = await seedWorkspace(lane.resources.db)
    const ask = asker(lane, workspace)
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { minLength: 2, maxLength: 3 }),
        fc.array(chunk, { minLength: 3, maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        async (stored, later, limit) => {
          const id = await record(lane, workspace, stored)
          const next = stored.map((chunks) => chunks.length)
          const { rows } = await allPages(ask, { ids: [id], limit }, async (page) => {
            const lines = later[page - 1]
            if (!lines) return
            const segmentNo = page % stored.length
            // The third one leaves a hole before it.
            const seq = next[segmentNo]! + (page === 3 ? 1 : 0)
            next[segmentNo] = seq + 1
            await store(lane, workspace, { captureId: id, segmentNo, seq }, lines)
          })
          expect(rows.map(placeOf)).toEqual(expectedRows(stored, ''))
        },
      ),
      { numRuns: 6 },
    )
  },
)

dbTest('captures are searched together, and a segment that is not proven whole is named', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const ask = asker(lane, workspace)
  const lineAt = (us: number, key: string): string => `${timeOf(T0 + us)} [0 10.0.0.1:5] "SET" "${key}"`
  const one = await record(lane, workspace, [[[lineAt(1, 'a'), lineAt(5, 'b')]]])
  const two = await record(lane, workspace, [[[lineAt(3, 'a')], undefined, [lineAt(4, 'a')]]])
  await finishCapture(db, one)
  const found = await ask({ ids: [two, one, two], filter: 'key:a or key:b' })
  expect(found.rows.map(({ captureId, mergeUs }) => [captureId === one ? 1 : 2, mergeUs - T0])).toEqual([
    [1, 1],
    [2, 3],
    [1, 5],
  ])
  expect(found.incomplete).toEqual([{ captureId: two, segmentNo: 0, storage: 'open', missing: null }])
  // Once nothing is waited for, what lies behind a hole is told as well.
  await db.updateTable('capture_segments').set({ storage: 'incomplete' }).where('capture_id', '=', two).execute()
  const later = await ask({ ids: [two] })
  expect(later.total).toEqual({ lines: 2, estimated: false })
  expect(later.incomplete).toMatchObject([{ storage: 'incomplete' }])
})

dbTest('chunks that cannot match are not read', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const workspace = await seedWorkspace(lane.resources.db)
  const ask = asker(lane, workspace)
  const chunks = Array.from({ length: 20 }, (_, at) =>
    Array.from(
      { length: 50 },
      (__, index) => `${timeOf(T0 + at * 1000 + index)} [0 10.0.0.1:5] "GET" "item:${at}:${index}"`,
    ),
  )
  const id = await record(lane, workspace, [chunks])
  const planOf = async (filter: string) => {
    const { plan, total } = await ask({ ids: [id], filter, plan: true, limit: 0 })
    return { lines: total?.lines, skipped: plan!.skipped, counted: plan!.counted, scanned: plan!.scanned }
  }
  expect(await planOf('')).toEqual({ lines: 1000, skipped: 0, counted: 20, scanned: 0 })
  expect(await planOf('cmd:GET')).toEqual({ lines: 1000, skipped: 0, counted: 20, scanned: 0 })
  expect(await planOf('cmd:SET')).toEqual({ lines: 0, skipped: 20, counted: 0, scanned: 0 })
  expect(await planOf(`time:${T0 + 3000}..${T0 + 4010}`)).toEqual({ lines: 61, skipped: 18, counted: 1, scanned: 1 })
  expect((await planOf('key:item:7:7')).scanned).toBeLessThan(5)
  expect((await planOf('key:item:7:*')).lines).toBe(50)
})

dbTest(
  'when time is up a page is short and its total an estimate, and pages are one read all the same',
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const { db } = lane.resources
    const workspace = await seedWorkspace(db)
    // Two of these are more than a batch, and a batch is read in any case.
    const value = 'x'.repeat(600_000)
    const chunks = Array.from({ length: 5 }, (_, at) =>
      Array.from({ length: 2 }, (__, index) => `${timeOf(T0 + 2 * at + index)} [0 a:1] "SET" "k" "${value}"`),
    )
    const id = await record(lane, workspace, [chunks])
    let now = 0
    const clock = { ...systemClock, monotonicMs: () => (now += 1000) }
    const pages: CaptureSearch[] = []
    for (
      let cursor: string | undefined;
      pages.length === 0 || cursor !== undefined;
      cursor = pages.at(-1)!.nextCursor ?? undefined
    ) {
      const captures = [{ id, partitionDay: DAY }]
      const signal = AbortSignal.timeout(30_000)
      const asked = {
        limit: 9,
        counts: 'total',
        plan: true,
        deadlineMs: 100,
        filterText: 'cmd:SET',
        filter: parseFilter('cmd:SET'),
      } as const
      pages.push(await search({ db, clock, captures, cursor, signal, ...asked }))
    }
    expect(pages.map(({ rows }) => rows.length)).toEqual([4, 4, 2])
    expect(pages[0]?.total).toEqual({ lines: 4, estimated: true })
    expect(pages.flatMap(({ rows }) => rows.map(({ mergeUs }) => mergeUs - T0))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  },
)

dbTest('what cannot be searched is refused with what to do', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const stranger = await seedWorkspace(db)
  const id = await record(lane, workspace, [[[`${timeOf(T0)} [0 a:1] "GET" "k"`, `${timeOf(T0)} [0 a:1] "GET" "l"`]]])
  const ask = asker(lane, workspace)
  const refusal = (input: CaptureSearchInput, by: Ask = ask): Promise<unknown> =>
    by(input).then(
      () => 'answered',
      (error: unknown) => error,
    )
  expect(await refusal({ ids: [id] }, asker(lane, stranger))).toMatchObject(code('capture.not_found'))
  expect(await refusal({ ids: [id], filter: 'key:(' })).toMatchObject(code('request.invalid', 'column'))
  const { nextCursor } = await ask({ ids: [id], limit: 1 })
  for (const cursor of ['x', '', Buffer.from('[1]').toString('base64url')]) {
    expect(await refusal({ ids: [id], cursor })).toMatchObject(code('request.invalid', 'cursor'))
  }
  expect(await refusal({ ids: [id], filter: 'cmd:GET', cursor: nextCursor! })).toMatchObject(code('request.invalid'))
  const answers = await Promise.all(Array.from({ length: 8 }, () => refusal({ ids: [id], counts: 'facets' })))
  const refused = answers.filter((answer) => answer !== 'answered')
  expect(refused.length).toBeLessThan(8)
  for (const answer of refused) expect(answer).toMatchObject(code('search.too_many'))
})
