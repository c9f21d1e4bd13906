import { parseArgs } from 'node:util'
import { createClient } from '@sonde/client'
import type { AnalysisDiff } from '@sonde/contracts'
import { describeMachine, median, memoryOf, openStage, printBench, seededRandom, spread } from '@sonde/testing'
import { sql } from 'kysely'
import { finishCapture, seedCapture, seedWorkspace } from '../../test/capture-fixture.ts'
import { naiveDiff, type NaiveDiff } from './bench/naive-diff.ts'
import { storeLines } from './bench/store-lines.ts'

/**
 * What it takes to tell what differs between two stored captures, beside the naive way, which parses all lines of both and counts them in
 * maps. Both captures go through the data lane of a control plane. Run by `sonde bench diff`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    lines: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '5' },
  },
})
const lines = Number(values.lines)
const rounds = Number(values.rounds)
const COUNT_MS = 60_000
/** Less growth of a process cannot be told from what it does anyway. */
const LEAST_GROWTH = 2 ** 20
const note = (line: string): void => void process.stderr.write(`${line}\n`)

await using stage = await openStage()
const { database, server, postgres } = stage
const workspace = await seedWorkspace(database.db)
const store = async (seed: number): Promise<string> => {
  const captureId = await seedCapture(database.db, workspace, 2)
  const place = { url: server.url, token: workspace.nodeToken, captureId }
  const stored = await storeLines({ ...place, lines, random: seededRandom(seed) })
  await finishCapture(database.db, captureId)
  note(`${lines} lines in ${stored.chunks} chunks, stored in ${Math.round(stored.ms)} ms`)
  return captureId
}
const [a, b] = [await store(1), await store(2)]

const diff = async (waitMs: number): Promise<{ ms: number; found: AnalysisDiff }> => {
  // The naive way holds this process up for longer than a server waits for a sign of life.
  await using client = createClient({ url: server.url, token: workspace.personToken })
  await client.rpc.captures.get.query({ id: a })
  const from = performance.now()
  const found = await client.rpc.analysis.diff.query({ a, b, limit: 1000, waitMs })
  return { ms: performance.now() - from, found }
}

/** What was counted from summaries must be what is there. */
const check = ({ keys, shapes }: AnalysisDiff, naive: NaiveDiff): void => {
  for (const { key, a: ofA, b: ofB } of keys.rows) {
    for (const [{ count, error }, exact] of [
      [ofA, naive.a.keys.get(key) ?? 0],
      [ofB, naive.b.keys.get(key) ?? 0],
    ] as const) {
      if (exact > count || exact < count - error) throw new Error(`${key}: ${exact} times, not ${count} (-${error})`)
    }
  }
  for (const { text, a: ofA, b: ofB } of shapes.rows) {
    const exact = [naive.a.shapes.get(text) ?? 0, naive.b.shapes.get(text) ?? 0]
    if (exact[0] !== ofA.count || exact[1] !== ofB.count) throw new Error(`${text}: ${exact.join(' and ')} times`)
  }
}

const countFrom = performance.now()
while ((await diff(COUNT_MS)).found.caveats.some(({ kind }) => kind === 'uncounted'));
const countMs = performance.now() - countFrom
note(`counted in ${Math.round(countMs)} ms`)
// Code is compiled.
for (let warm = 0; warm < 5; warm += 1) await diff(0)
const memoryBefore = memoryOf(server.pid)
let mostMemory = 0
const ours: number[] = []
const naive: number[] = []
const naiveMemory: number[] = []
for (let round = 0; round < rounds; round += 1) {
  const { ms, found } = await diff(0)
  mostMemory = Math.max(mostMemory, memoryOf(server.pid))
  const beside = await naiveDiff(postgres.url, a, b)
  check(found, beside)
  ours.push(ms)
  naive.push(beside.ms)
  naiveMemory.push(beside.memoryBytes)
  note(`round ${round + 1}: ${Math.round(ms)} ms, naively ${Math.round(beside.ms)} ms; ${found.keys.total} keys moved`)
}

const growth = Math.max(LEAST_GROWTH, mostMemory - memoryBefore)
const { rows: sizes } = await sql<{ bytes: number; count: number }>`
  select coalesce(sum(length(profile)), 0)::int8 as bytes, count(*) as count from capture_profiles`.execute(database.db)
const { rows: versions } = await sql<{ server_version: string }>`show server_version`.execute(database.db)
const ratio = median(naive) / median(ours)
printBench(
  {
    name: 'diff',
    machine: describeMachine(versions[0]?.server_version ?? 'unknown'),
    figures: {
      linesEach: lines,
      profiles: sizes[0]?.count ?? 0,
      profileBytes: sizes[0]?.bytes ?? 0,
      countLinesPerSecond: (2 * lines) / (countMs / 1000),
      diffMs: median(ours),
      diffSpread: spread(ours),
      naiveMs: median(naive),
      serverMemoryGrowthBytes: growth,
      naiveMemoryBytes: Math.max(...naiveMemory),
    },
    ratios: { diffVsNaive: ratio, memoryVsNaive: Math.max(...naiveMemory) / growth },
    meets: {
      within300ms: median(ours) <= 300,
      memoryWithin64MiB: growth <= 64 * 2 ** 20,
      fiftyTimesNaive: ratio >= 50,
      tenthOfMemory: growth <= Math.max(...naiveMemory) / 10,
    },
  },
  values.json,
)
