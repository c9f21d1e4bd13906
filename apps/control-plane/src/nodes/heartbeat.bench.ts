import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  cpuOf,
  cpuOfTree,
  describeMachine,
  median,
  memoryOf,
  openStage,
  printBench,
  spread,
  startProgram,
  type Program,
  type Stage,
} from '@sonde/testing'
import { sql } from 'kysely'
import { bareUpdateUs } from './bench/bare-update.ts'
import { loadAtRate, loadClosed, type Stretch } from './bench/beat-load.ts'
import { openHttp, openLanes, type BeatSender } from './bench/beat-senders.ts'
import { addOnlineNodes, addTokens, readCounters, shuffled, type PresenceCounters } from './bench/presence-rows.ts'

/**
 * Heartbeats in three ways in one run, interleaved: `ours` (WebSocket lane, group commit), `naive` (one HTTP call and one
 * upsert a beat), `floor` (the same lane, no database). Then `ours` at the rate of a whole fleet. Run by `sonde bench heartbeat`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    nodes: { type: 'string', default: '100000' },
    sockets: { type: 'string', default: '10000' },
  },
})
const rounds = Number(values.rounds)
const measureMs = Number(values.seconds) * 1_000
const fleet = { nodes: Number(values.nodes), sockets: Math.min(Number(values.sockets), Number(values.nodes)) }
/** Rows that the three ways write in turn; few enough that each is written often, as 100,000 would not be in seconds. */
const NODES = Math.min(10_000, fleet.nodes)
const WS_CONNECTIONS = 512
const HTTP_CONNECTIONS = 64
const PERIOD_MS = 15_000
const WARM_MS = 8_000
const note = (line: string): void => void process.stderr.write(`${line}\n`)

const startServer = (name: 'naive' | 'floor', stage: Stage): Promise<Program<string>> =>
  startProgram({
    name,
    main: fileURLToPath(new URL(`bench/${name}-server.ts`, import.meta.url)),
    env: { DATABASE_URL: stage.postgres.url, SONDE_LOG_LEVEL: 'warn' },
    logs: [],
    readyOf: (message) => ('url' in message && typeof message.url === 'string' ? message.url : undefined),
  })

interface Way {
  pid: number
  open: () => Promise<BeatSender>
  stretches: Stretch[]
}

const compare = async (stage: Stage, nodeIds: readonly string[]) => {
  await using scope = new AsyncDisposableStack()
  await sql`create table naive_presence (node_id text primary key, last_heartbeat_at timestamptz not null,
    health_state text not null) with (fillfactor = 70)`.execute(stage.database.db)
  const naive = scope.adopt(await startServer('naive', stage), async (program) => void (await program.stop()))
  const floor = scope.adopt(await startServer('floor', stage), async (program) => void (await program.stop()))
  const tokens = [stage.owner.token]
  const lanes = (url: string) => () => openLanes({ url, tokens }, WS_CONNECTIONS)
  const ways = {
    naive: { pid: naive.pid, open: () => Promise.resolve(openHttp(naive.ready, HTTP_CONNECTIONS)), stretches: [] },
    ours: { pid: stage.server.pid, open: lanes(stage.server.url), stretches: [] },
    floor: { pid: floor.pid, open: lanes(floor.ready), stretches: [] },
  } satisfies Record<string, Way> as Record<'naive' | 'ours' | 'floor', Way>

  // A process that runs for days is compiled through and through; one that has just started costs half as much again.
  for (const way of Object.values(ways)) {
    using sender = await way.open()
    await loadClosed({ sender, nodeIds, warmMs: 0, measureMs: WARM_MS, readCpu: () => ({ node: 0, postgres: 0 }) })
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      using sender = await way.open()
      const readCpu = () => ({ node: cpuOf(way.pid), postgres: cpuOfTree(stage.postgres.pid) })
      const stretch = await loadClosed({ sender, nodeIds, warmMs: 1_000, measureMs, readCpu })
      way.stretches.push(stretch)
      const { beatsPerSecond, nodeUs, postgresUs, refused } = stretch
      const cost = `${nodeUs.toFixed(1)} + ${postgresUs.toFixed(1)} us`
      note(`round ${round + 1} ${name}: ${Math.round(beatsPerSecond)} beats/s, ${cost}, ${refused} refused`)
    }
  }
  return { naive: ways.naive.stretches, ours: ways.ours.stretches, floor: ways.floor.stretches }
}

/** The load of a whole fleet. What a checkpoint adds to the log, 8 kB for a page at its first change, is behind it when counting begins. */
const atFleetRate = (stage: Stage, known: readonly string[]) =>
  // One connection from beginning to end: the process that makes the load has no time to open one in the midst of it.
  stage.database.db.connection().execute((connection) => measureFleet(stage, known, connection))

const measureFleet = async (stage: Stage, known: readonly string[], connection: Stage['database']['db']) => {
  const { database, owner, server, postgres } = stage
  const added = await addOnlineNodes(database, owner, { from: known.length, to: fleet.nodes })
  // Not in the order of the rows: then each statement would change whole pages, as no fleet does.
  const nodeIds = shuffled([...known, ...added])
  const tokens = await addTokens(database, owner, fleet.sockets)
  await sql`vacuum analyze runtime_node_presence, runtime_node_attachments, runtime_nodes, tokens`.execute(database.db)
  await sql`checkpoint`.execute(database.db)
  // A fresh process: one that has worked hard before holds memory that would hide what the connections take.
  await server.restart()
  const memoryBefore = memoryOf(server.pid)
  using sender = await openLanes({ url: server.url, tokens }, fleet.sockets)
  const readCpu = () => ({ node: cpuOf(server.pid), postgres: cpuOfTree(postgres.pid) })
  const one = nodeIds.slice(0, fleet.sockets)
  await loadAtRate({ sender, nodeIds: one, periodMs: PERIOD_MS, warmMs: 0, measureMs: PERIOD_MS, readCpu })
  const memoryPerNode = (memoryOf(server.pid) - memoryBefore) / fleet.sockets
  const edges: PresenceCounters[] = []
  const stretch = await loadAtRate({
    sender,
    nodeIds,
    periodMs: PERIOD_MS,
    // Every row twice, so that each page has had its first change since the checkpoint, and has space for the next.
    warmMs: 2 * PERIOD_MS,
    measureMs: 2 * PERIOD_MS,
    readCpu,
    // Backends report what they did at most once a second.
    onWindow: async (edge) => {
      if (edge === 'end') await sleep(1_500)
      edges.push(await readCounters(connection))
    },
  })
  const { rows } = await sql<{ stale: number }>`
    select count(*)::int as stale from runtime_node_transitions where cause = 'sweep' and to_state = 'offline'`.execute(
    connection,
  )
  const [begin, end] = edges
  if (!begin || !end) throw new Error('the counters were not read')
  const updates = end.updates - begin.updates
  const floorUs = await bareUpdateUs(connection, { nodeIds, postgresPid: postgres.pid })
  return {
    stretch,
    floorCores: (floorUs / 1e6) * stretch.beatsPerSecond,
    memoryPerNode,
    hot: (end.hotUpdates - begin.hotUpdates) / updates,
    walPerBeat: (end.wal - begin.wal) / updates,
    falseVerdicts: rows[0]?.stale ?? 0,
  }
}

await using stage = await openStage()
const { rows: versions } = await sql<{ server_version: string }>`show server_version`.execute(stage.database.db)
const nodeIds = await addOnlineNodes(stage.database, stage.owner, { from: 0, to: NODES })
const { naive, ours, floor } = await compare(stage, nodeIds)
note(`${fleet.nodes} nodes, a beat in ${PERIOD_MS / 1_000} s, over ${fleet.sockets} connections: 80 seconds`)
const rate = await atFleetRate(stage, nodeIds)

const of = (stretches: Stretch[], read: (stretch: Stretch) => number) => median(stretches.map(read))
const cpu = ({ nodeUs, postgresUs }: Stretch) => nodeUs + postgresUs
const speed = ({ beatsPerSecond }: Stretch) => beatsPerSecond
const figuresOf = (name: string, stretches: Stretch[]) => ({
  [`${name}BeatsPerSecond`]: of(stretches, speed),
  [`${name}Spread`]: spread(stretches.map(speed)),
  [`${name}P50Ms`]: of(stretches, ({ p50Ms }) => p50Ms),
  [`${name}P99Ms`]: of(stretches, ({ p99Ms }) => p99Ms),
  [`${name}NodeUs`]: of(stretches, ({ nodeUs }) => nodeUs),
  [`${name}PostgresUs`]: of(stretches, ({ postgresUs }) => postgresUs),
  [`${name}Refused`]: stretches.reduce((sum, { refused }) => sum + refused, 0),
})
const ratios = {
  vsNaive: of(ours, speed) / of(naive, speed),
  vsFloor: of(ours, speed) / of(floor, speed),
  cpuVsNaive: of(naive, cpu) / of(ours, cpu),
}
printBench(
  {
    name: 'heartbeat',
    machine: describeMachine(versions[0]?.server_version ?? 'unknown'),
    figures: {
      ...figuresOf('ours', ours),
      ...figuresOf('naive', naive),
      ...figuresOf('floor', floor),
      fleetNodes: fleet.nodes,
      fleetSockets: fleet.sockets,
      fleetBeatsPerSecond: rate.stretch.beatsPerSecond,
      fleetP50Ms: rate.stretch.p50Ms,
      fleetP99Ms: rate.stretch.p99Ms,
      fleetRefused: rate.stretch.refused,
      fleetControlPlaneCores: rate.stretch.nodeCores,
      fleetPostgresCores: rate.stretch.postgresCores,
      fleetPostgresFloorCores: rate.floorCores,
      fleetHotShare: rate.hot,
      fleetWalBytesPerBeat: rate.walPerBeat,
      fleetFalseVerdicts: rate.falseVerdicts,
      memoryBytesPerNode: rate.memoryPerNode,
    },
    ratios,
    meets: {
      beats8xNaive: ratios.vsNaive >= 8,
      cpu12xLessThanNaive: ratios.cpuVsNaive >= 12,
      halfOfFloor: ratios.vsFloor >= 0.5,
      hot99Percent: rate.hot >= 0.99,
      wal200Bytes: rate.walPerBeat <= 200,
      fleetKeptPace: rate.stretch.beatsPerSecond >= 0.95 * (fleet.nodes / (PERIOD_MS / 1_000)),
      controlPlaneHalfCore: rate.stretch.nodeCores <= 0.5,
      postgres15PercentCore: rate.stretch.postgresCores <= 0.15,
      memory60kB: rate.memoryPerNode <= 60_000,
      noFalseVerdict: rate.falseVerdicts === 0,
    },
  },
  values.json,
)
