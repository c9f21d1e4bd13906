import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MonitorScanner } from '@sonde/capture-format'
import { createClient } from '@sonde/client'
import {
  cpuOf,
  cpuOfTree,
  describeMachine,
  median,
  memoryOf,
  openStage,
  poll,
  printBench,
  spread,
  startDaemon,
  startProgram,
  startRedis,
  type DaemonProcess,
  type RedisProcess,
  type Stage,
} from '@sonde/testing'
import { sql } from 'kysely'
import { startMixedLoad } from './bench/mixed-load.ts'

/**
 * CPU that one MONITOR line costs, from the socket to the committed row, over all processes that take part: `ours` (daemon,
 * control plane, PostgreSQL), `rows` (a client library, parsed lines, multi-row inserts), `text` (the same, uncompressed text)
 * and `floor` (a socket whose newlines are counted). All of the same load on the same server, in turn. Run by `sonde bench capture`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    rate: { type: 'string', default: '30000' },
  },
})
const rounds = Number(values.rounds)
const measureMs = Number(values.seconds) * 1_000
const rate = Number(values.rate)
const note = (line: string): void => void process.stderr.write(`${line}\n`)

interface Stretch {
  lines: number
  readerUs: number
  postgresUs: number
  totalUs: number
}

/** CPU of a reading and of PostgreSQL between two moments, a line. */
const measure = async (stage: Stage, pids: readonly number[], linesNow: () => Promise<number>): Promise<Stretch> => {
  const read = async () => ({
    lines: await linesNow(),
    reader: pids.reduce((sum, pid) => sum + cpuOf(pid), 0),
    postgres: cpuOfTree(stage.postgres.pid),
  })
  // Connections are open and plans made.
  await sleep(1_500)
  const before = await read()
  await sleep(measureMs)
  const after = await read()
  const lines = after.lines - before.lines
  const us = (seconds: number) => (seconds / lines) * 1e6
  const readerUs = us(after.reader - before.reader)
  const postgresUs = us(after.postgres - before.postgres)
  return { lines, readerUs, postgresUs, totalUs: readerUs + postgresUs }
}

const measureProgram = async (stage: Stage, redis: RedisProcess, name: string, args: string[]): Promise<Stretch> => {
  const program = await startProgram({
    name,
    main: fileURLToPath(new URL(`bench/${name}-server.ts`, import.meta.url)),
    args,
    env: { DATABASE_URL: stage.postgres.url, REDIS_URL: redis.url },
    logs: [],
    readyOf: (message) => ('kind' in message && message.kind === 'reading' ? true : undefined),
  })
  try {
    let lines = 0
    program.child.on('message', (message: { kind: string; lines?: number }) => (lines = message.lines ?? lines))
    return await measure(stage, [program.pid], () => Promise.resolve(lines))
  } finally {
    await program.stop()
  }
}

interface Ours extends Stretch {
  storedBytesPerLine: number
}

const measureOurs = async (stage: Stage, daemon: DaemonProcess, sessionId: string): Promise<Ours> => {
  const { server, owner, database } = stage
  await using client = createClient({ url: server.url, token: owner.token })
  const durationMs = measureMs + 60_000
  const byteCap = 2 ** 30
  const started = await client.rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'primaries' },
    durationMs,
    byteCap,
  })
  const { id } = started.capture
  const lines = async () => (await client.rpc.captures.get.query({ id })).lineCount
  const stretch = await measure(stage, [daemon.pid, server.pid], lines)
  const ended = await client.rpc.captures.stop.mutate({ id, waitMs: 30_000 })
  if (ended.segments[0]?.storage !== 'complete')
    throw new Error(`the capture was not stored whole: ${JSON.stringify(ended)}`)
  const { rows } = await sql<{ bytes: number; lines: number }>`
    select sum(length(body))::float8 as bytes, sum(line_count)::float8 as lines
    from capture_chunks where capture_id = ${id}`.execute(database.db)
  return { ...stretch, storedBytesPerLine: (rows[0]?.bytes ?? 0) / (rows[0]?.lines ?? 1) }
}

/** The scanner alone, over lines of the same load, on one core. */
const scannerLinesPerSecond = async (redis: RedisProcess): Promise<number> => {
  const bytes = await recordMonitor(redis)
  const scanner = new MonitorScanner({ sink: { line: () => undefined, reply: () => undefined } })
  for (let warm = 0; warm < 3; warm += 1) scanner.push(bytes)
  const before = scanner.counters.received
  const from = performance.now()
  while (performance.now() - from < 2_000) scanner.push(bytes)
  return ((scanner.counters.received - before) / (performance.now() - from)) * 1_000
}

const recordMonitor = async (redis: RedisProcess): Promise<Buffer> => {
  const { connect } = await import('node:net')
  const socket = connect(redis.port, '127.0.0.1')
  const pieces: Buffer[] = []
  let size = 0
  socket.on('data', (piece) => {
    pieces.push(piece)
    size += piece.length
  })
  socket.write('MONITOR\r\n')
  await poll(() => size > 8 * 2 ** 20, { what: '8 MiB of lines' })
  socket.destroy()
  const all = Buffer.concat(pieces)
  return all.subarray(0, all.lastIndexOf('\n') + 1)
}

await using stage = await openStage()
await using redis = await startRedis()
const { database, owner, server } = stage
await sql`create table naive_lines (at float8, db int, source text, command text, args text[])`.execute(database.db)
await sql`create table naive_text (lines text)`.execute(database.db)
await using client = createClient({ url: server.url, token: owner.token })
const { id: sessionId } = await client.rpc.sessions.create.mutate({ name: 'bench' })
const { token } = await client.rpc.tokens.create.mutate({ kind: 'node', sessionId, name: 'bench' })
const stateDir = mkdtempSync(join(tmpdir(), 'sonde-bench-'))
await using scope = new AsyncDisposableStack()
scope.defer(() => rmSync(stateDir, { recursive: true, force: true }))
const daemon = scope.use(await startDaemon({ url: server.url, token, stateDir, sources: ['--target', redis.url] }))
scope.use(await startMixedLoad(redis.port, rate))

const ours: Ours[] = []
const naive = { rows: [] as Stretch[], text: [] as Stretch[], floor: [] as Stretch[] }
for (let round = 0; round < rounds; round += 1) {
  ours.push(await measureOurs(stage, daemon, sessionId))
  naive.rows.push(await measureProgram(stage, redis, 'naive', ['rows']))
  naive.text.push(await measureProgram(stage, redis, 'naive', ['text']))
  naive.floor.push(await measureProgram(stage, redis, 'floor', []))
  for (const [name, stretches] of Object.entries({ ours, ...naive })) {
    const { lines, totalUs } = stretches.at(-1)!
    note(
      `round ${round + 1} ${name}: ${Math.round(lines / (measureMs / 1e3))} lines/s, ${totalUs.toFixed(2)} us a line`,
    )
  }
}
const scanner = await scannerLinesPerSecond(redis)
const { rows: versions } = await sql<{ server_version: string }>`show server_version`.execute(database.db)
const of = (stretches: readonly Stretch[], read: (stretch: Stretch) => number) => median(stretches.map(read))
const total = ({ totalUs }: Stretch) => totalUs
const figuresOf = (name: string, stretches: readonly Stretch[]) => ({
  [`${name}LinesPerSecond`]: of(stretches, ({ lines }) => lines / (measureMs / 1e3)),
  [`${name}ReaderUs`]: of(stretches, ({ readerUs }) => readerUs),
  [`${name}PostgresUs`]: of(stretches, ({ postgresUs }) => postgresUs),
  [`${name}TotalUs`]: of(stretches, total),
  [`${name}Spread`]: spread(stretches.map(total)),
})
const storedBytesPerLine = median(ours.map((stretch) => stretch.storedBytesPerLine))
const daemonMemory = memoryOf(daemon.pid)
const ratios = {
  vsNaive: of(naive.rows, total) / of(ours, total),
  vsText: of(naive.text, total) / of(ours, total),
  vsFloor: of(ours, total) / of(naive.floor, total),
}
printBench(
  {
    name: 'capture',
    machine: describeMachine(versions[0]?.server_version ?? 'unknown'),
    figures: {
      ...figuresOf('ours', ours),
      ...figuresOf('rows', naive.rows),
      ...figuresOf('text', naive.text),
      ...figuresOf('floor', naive.floor),
      scannerLinesPerSecond: scanner,
      storedBytesPerLine,
      daemonMemoryBytes: daemonMemory,
    },
    ratios,
    meets: {
      lineWithin1500ns: of(ours, total) <= 1.5,
      tenTimesLessThanRows: ratios.vsNaive >= 10,
      scanner8M: scanner >= 8e6,
      stored20Bytes: storedBytesPerLine <= 20,
      daemon150MB: daemonMemory <= 150e6,
    },
  },
  values.json,
)
