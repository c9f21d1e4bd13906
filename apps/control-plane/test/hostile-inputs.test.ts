import { newId } from '@sonde/contracts'
import { expect } from 'vitest'
import { appRouter } from '../src/router.ts'
import { callProcedure, CALLERS, makeWorld, type Caller, type World } from './procedure-world.ts'
import { inSession, NO_COUNTS, ROWS, type Row } from './procedure-table.ts'
import { serverTest } from './support.ts'

const TEXTS = [
  '',
  'x',
  '\0',
  '\ud800',
  'é'.repeat(1000),
  '9'.repeat(40),
  `1.${newId()}`,
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59.999999999-23:59',
  'AQ',
  'AYCAgICAgICAgAE',
]
const NUMBERS = [-1, 0, 1.5, 2 ** 31, 2 ** 53 - 1, 1e308]
const OTHERS = [null, [], {}, 7]

const sameOrWorse = (value: unknown): unknown[] => {
  if (typeof value === 'string') return [...TEXTS, ...OTHERS]
  if (typeof value === 'number') return [...NUMBERS, ...OTHERS]
  return OTHERS
}

/** Copies of an input in which one value, at any depth, is another one. */
function* changed(input: unknown): Generator {
  for (const other of sameOrWorse(input)) yield other
  if (input === null || typeof input !== 'object') return
  for (const [key, value] of Object.entries(input)) {
    for (const other of changed(value)) {
      yield Array.isArray(input)
        ? input.map((each, at) => (String(at) === key ? (other as unknown) : each))
        : { ...input, [key]: other }
    }
  }
}

const INSTANT = '2026-11-24T10:00:00Z'
/** Inputs with more fields than those of the table, which they stand for. */
const MORE: [path: string, input: (world: World) => object][] = [
  ['sessions.create', () => ({ name: 'n', minClientVersion: '1.0' })],
  ['sessions.list', () => ({ includeArchived: true, limit: 1, cursor: newId() })],
  ['tokens.create', (world) => ({ ...inSession(world), kind: 'node', name: 'n', ttlMs: 60_000 })],
  [
    'runtimeNode.attach',
    (world) => ({
      ...inSession(world),
      participantId: world.participants.operator,
      nodeId: world.nodeId,
      clientVersion: '1.0',
      capabilities: { monitor: { deep: [1] } },
      healthState: 'online',
      instanceId: newId(),
      host: 'h',
    }),
  ],
  [
    'runtimeNode.capabilityUpdate',
    ({ nodeId, epoch }) => ({
      nodeId,
      epoch,
      capabilities: { monitor: {} },
      healthChanges: { state: 'online', reason: 'r' },
      expectedRevision: 1,
      attachmentId: newId(),
    }),
  ],
  ['runtimeNode.detach', ({ nodeId, epoch }) => ({ nodeId, epoch, reason: 'r', attachmentId: newId() })],
  ['runtimeNode.cordon', ({ sessionId, nodeId }) => ({ sessionId, nodeId, reason: 'r' })],
  [
    'runtimeNode.drain',
    ({ sessionId, nodeId }) => ({ sessionId, nodeId, deadline: INSTANT, onDeadline: 'wait', reason: 'r' }),
  ],
  [
    'runtimeNode.answer',
    ({ nodeId, epoch, commandId }) => ({
      nodeId,
      epoch,
      commandId,
      result: { kind: 'opened', serverVersion: '8', dialect: 'bracket', role: 'primary' },
    }),
  ],
  [
    'segments.report',
    ({ nodeId, epoch, captureId }) => ({
      nodeId,
      epoch,
      segments: [
        {
          captureId,
          segmentNo: 0,
          sliceNo: 0,
          halfUsed: true,
          counters: NO_COUNTS,
          lagMs: 1,
          cost: { maxLagMs: 1, omemBytes: 1, maxOmemBytes: 1, addedLatencyUs: 1 },
          gaps: [
            {
              gapNo: 0,
              reason: 'overrun',
              lastEventUs: 1,
              firstEventUs: 1,
              durationMs: 1,
              missing: { fromSeq: 1, toSeq: 1 },
              lostLines: 1,
              lostBytes: 1,
            },
          ],
        },
      ],
    }),
  ],
  [
    'captures.start',
    (world) => ({
      ...inSession(world),
      scope: { kind: 'cluster', clusterId: newId() },
      require: 1,
      durationMs: 500,
      byteCap: 2048,
      lineCap: 1,
      reason: 'r',
    }),
  ],
  ['runtimeNode.roster', (world) => ({ ...inSession(world), cursor: `1.${newId()}` })],
  ['targets.list', (world) => ({ ...inSession(world), clusterId: newId() })],
  [
    'captures.list',
    (world) => ({
      ...inSession(world),
      cursor: newId(),
      targetId: newId(),
      status: ['running'],
      startedAfter: INSTANT,
      startedBefore: INSTANT,
    }),
  ],
  ['captures.tail', ({ captureId }) => ({ id: captureId, segments: [0], backlog: 1, cursor: 'AQ', lastEventId: 'AQ' })],
  [
    'targets.declare',
    ({ nodeId, epoch }) => ({
      nodeId,
      epoch,
      clusters: [{ ok: false, error: 'down' }],
      targets: [
        {
          kind: 'server',
          host: 'h',
          port: 1,
          role: 'primary',
          reachable: true,
          health: 'healthy',
          clusterNodeId: 'c',
          cluster: 0,
          shard: 'c',
          slots: [[0, 1]],
          configEpoch: 1,
          serverVersion: '8',
        },
      ],
    }),
  ],
]

const allowed = (row: Row | undefined): Caller =>
  CALLERS.find((caller) => row?.expected[caller as keyof Row['expected']] === 'ok') ?? 'owner'
const rowOf = (path: string) => ROWS.find((row) => row.path === path)
const INPUTS = [
  ...ROWS.filter(({ path }) => !MORE.some(([fuller]) => fuller === path)).map((row) => ({
    path: row.path,
    caller: allowed(row),
    input: row.input,
  })),
  ...MORE.map(([path, input]) => ({ path, caller: allowed(rowOf(path)), input })),
].map((each, at) => ({ ...each, at }))

const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>

serverTest.for(INPUTS)(
  '$path ($at) refuses whatever it cannot use, and never fails by it',
  { timeout: 60_000 },
  async ({ path, caller, input }, { database, server }) => {
    const world = await makeWorld(database, server.url)
    const type = procedures[path]?._def.type ?? ''
    const failed: unknown[] = []
    for (const bad of changed(input(world, caller))) {
      const { error } = await callProcedure(world.url, world.tokens[caller], { path, type, input: bad })
      if (error?.code === 'internal.unexpected') failed.push(bad)
    }
    expect(failed).toEqual([])
    expect(server.logs.filter((line) => line['msg'] === 'failed' && line['procedure'] === path)).toEqual([])
  },
)
