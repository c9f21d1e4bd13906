import { parseArgs } from 'node:util'
import { createClient } from '@sonde/client'
import { describeMachine, median, memoryOf, openStage, printBench, seededRandom, spread } from '@sonde/testing'
import { sql } from 'kysely'
import { finishCapture, seedCapture, seedWorkspace } from '../../test/capture-fixture.ts'
import { naiveRead, SELECTIVE, SCAN, PARSE } from './bench/naive-read.ts'
import { storeLines } from './bench/store-lines.ts'

/**
 * What it takes to read a stored capture: a selective search, a scan of every line for a text, one for which every line must be parsed, and
 * facets; the first three beside the naive way, which loads all lines as strings and filters then. The capture goes through the data lane of a control plane.
 * Run by `sonde bench read`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    lines: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
  },
})
const lines = Number(values.lines)
const rounds = Number(values.rounds)
const note = (line: string): void => void process.stderr.write(`${line}\n`)

await using stage = await openStage()
const { database, server, postgres } = stage
const workspace = await seedWorkspace(database.db)
const captureId = await seedCapture(database.db, workspace, 2)
const stored = await storeLines({
  url: server.url,
  token: workspace.nodeToken,
  captureId,
  lines,
  random: seededRandom(1),
})
await finishCapture(database.db, captureId)
note(`${lines} lines in ${stored.chunks} chunks, stored in ${Math.round(stored.ms)} ms`)

let mostMemory = 0
const search = async (filter: string, counts: 'total' | 'facets') => {
  // The naive way holds this process up for longer than a server waits for a sign of life.
  await using client = createClient({ url: server.url, token: workspace.personToken })
  await client.rpc.captures.get.query({ id: captureId })
  const from = performance.now()
  const found = await client.rpc.captures.search.query({
    ids: [captureId],
    filter,
    counts,
    plan: true,
    deadlineMs: 30_000,
  })
  const ms = performance.now() - from
  mostMemory = Math.max(mostMemory, memoryOf(server.pid))
  if (found.total?.estimated !== false) throw new Error(`time was up: ${JSON.stringify(found.plan)}`)
  return { ms, lines: found.total.lines, plan: found.plan }
}

// Threads are started, and the code is compiled.
for (const filter of [SELECTIVE, SCAN, PARSE]) await search(filter, 'facets')
const memoryBefore = memoryOf(server.pid)
mostMemory = 0
const ours = { selective: [] as number[], scan: [] as number[], parse: [] as number[], facets: [] as number[] }
const naive = { selective: [] as number[], scan: [] as number[], parse: [] as number[] }
let scannedShare = 0
for (let round = 0; round < rounds; round += 1) {
  for (const [name, filter] of [
    ['selective', SELECTIVE],
    ['scan', SCAN],
    ['parse', PARSE],
  ] as const) {
    const found = await search(filter, 'total')
    const beside = await naiveRead(postgres.url, captureId, filter)
    if (beside.lines !== found.lines) throw new Error(`${filter}: ${found.lines} lines, naively ${beside.lines}`)
    ours[name].push(found.ms)
    naive[name].push(beside.ms)
    if (name === 'selective') scannedShare = (found.plan?.scanned ?? 0) / stored.chunks
    note(
      `round ${round + 1} ${name}: ${Math.round(found.ms)} ms, naively ${Math.round(beside.ms)} ms, ${found.lines} lines`,
    )
  }
  ours.facets.push((await search('', 'facets')).ms)
}

const rate = (times: number[]): number => lines / (median(times) / 1000)
const ratio = (name: keyof typeof naive): number => median(naive[name]) / median(ours[name])
const { rows: versions } = await sql<{ server_version: string }>`show server_version`.execute(database.db)
printBench(
  {
    name: 'read',
    machine: describeMachine(versions[0]?.server_version ?? 'unknown'),
    figures: {
      lines,
      chunks: stored.chunks,
      summaryBytes: stored.summaryBytes / stored.chunks,
      selectiveMs: median(ours.selective),
      selectiveSpread: spread(ours.selective),
      selectiveChunksRead: scannedShare,
      scanLinesPerSecond: rate(ours.scan),
      scanSpread: spread(ours.scan),
      parseLinesPerSecond: rate(ours.parse),
      facetsLinesPerSecond: rate(ours.facets),
      naiveSelectiveMs: median(naive.selective),
      naiveScanLinesPerSecond: rate(naive.scan),
      serverMemoryBytes: mostMemory,
      serverMemoryGrowthBytes: mostMemory - memoryBefore,
    },
    ratios: { selectiveVsNaive: ratio('selective'), scanVsNaive: ratio('scan'), parseVsNaive: ratio('parse') },
    meets: {
      selectiveWithin1s: median(ours.selective) <= 1000,
      scan3M: rate(ours.scan) >= 3e6,
      selectiveTenTimesNaive: ratio('selective') >= 10,
      scanFourTimesNaive: ratio('scan') >= 4,
      memoryFlat: mostMemory - memoryBefore <= 64 * 2 ** 20,
    },
  },
  values.json,
)
