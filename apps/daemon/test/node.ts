import { createClient } from '@redis/client'
import { newId, systemClock, type CommandResult, type NodeCommandBody, type SegmentManifest } from '@sonde/contracts'
import { createUploader, type DiskSpool } from '@sonde/daemon-sdk'
import { poll, type RedisProcess } from '@sonde/testing'
import type { TargetSpec } from '../src/config.ts'
import { IMPACT_DEFAULTS } from '../src/guard/impact.ts'
import type { OpenCommand, SegmentProgress } from '../src/segment.ts'
import { redactionKeyOf } from '../src/redaction-key.ts'
import { Segments } from '../src/segments.ts'
import { parseServerAddress } from '../src/server-address.ts'
import { Targets } from '../src/targets.ts'
import { startStore } from './store.ts'

const LOG = { info: () => undefined, warn: () => undefined }

/** What masked arguments of tests are hashed with. */
const REDACTION_KEY = new Uint8Array(32).fill(7)

const NODE_ID = 'node-00000000000000000000000000000001'

/** Everything of a daemon but its place in a session: declarations are taken at once, reports and manifests kept. */
export const startNode = async (spec: TargetSpec, spool?: DiskSpool) => {
  const stack = new AsyncDisposableStack()
  const store = stack.use(await startStore())
  const uploader = stack.use(
    createUploader({ url: store.url, token: 't', onRejected: () => undefined, ...(spool && { spool }) }),
  )
  const reports: SegmentProgress[] = []
  const manifests = new Map<string, SegmentManifest>()
  const ids: string[] = []
  const targets = stack.use(
    new Targets({
      specs: [spec],
      nodeId: NODE_ID,
      clock: systemClock,
      // A fifth of each wait: a server that is gone is given up after 3 s instead of 8.
      random: () => 0.2,
      log: LOG,
      declare: (list) => {
        while (ids.length < list.targets.length) ids.push(newId())
        targets.declared(list, ids)
      },
    }),
  )
  const segments = stack.use(
    new Segments({
      find: (targetId) => targets.find(targetId),
      shipper: uploader,
      redactionKey: redactionKeyOf(REDACTION_KEY),
      ...(spool && { note: (segment, note) => spool.note(segment, note) }),
      committed: () => Promise.resolve([]),
      report: (progress) => {
        reports.push(...progress)
        return Promise.resolve()
      },
      sendManifest: ({ captureId, segmentNo }, manifest) => {
        manifests.set(`${captureId}/${segmentNo}`, manifest)
        return Promise.resolve({ storage: 'complete' as const, missing: [] })
      },
      sourceEnded: () => undefined,
      impact: IMPACT_DEFAULTS,
      clock: systemClock,
      log: LOG,
    }),
  )
  await targets.refresh()
  const captureId = newId()
  const open = (fields: Partial<OpenCommand> = {}): OpenCommand => ({
    kind: 'segment.open',
    captureId,
    segmentNo: 0,
    targetId: ids[0]!,
    durationMs: 60_000,
    chunk: { bytes: 16_384, ms: 50, lines: 5000, maxLineBytes: 2 ** 20 },
    slice: { sliceNo: 0, bytes: 2 ** 30, lines: 1e6, lastBytes: true, lastLines: true },
    policyRevision: 1,
    policy: { level: 'none', keyPatterns: [], keepKeyPrefix: false },
    ...fields,
  })
  const run = (command: NodeCommandBody): Promise<CommandResult> => segments.run(command)
  const endOf = (segmentNo = 0) => reports.find((each) => each.segmentNo === segmentNo && each.end !== undefined)
  return {
    store,
    segments,
    reports,
    captureId,
    open,
    run,
    key: (segmentNo = 0) => `${captureId}/${segmentNo}`,
    end: (segmentNo = 0) => poll(() => endOf(segmentNo), { what: 'the end to be reported' }),
    manifest: (segmentNo = 0) => poll(() => manifests.get(`${captureId}/${segmentNo}`), { what: 'the manifest' }),
    hasManifest: (segmentNo = 0) => manifests.has(`${captureId}/${segmentNo}`),
    begin: (segmentNo = 0) => run({ kind: 'segment.begin', captureId, segmentNo }),
    stop: (segmentNo = 0) => run({ kind: 'segment.stop', captureId, segmentNo, reason: 'manual_stop' }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The same beside one real server. */
export const startNodeAt = (redis: RedisProcess, spool?: DiskSpool) =>
  startNode({ kind: 'server', address: parseServerAddress(redis.url, 'test') }, spool)

/** Monitor connections at the server. */
export const monitors = async (redis: RedisProcess): Promise<number> =>
  String(await redis.command('CLIENT', 'LIST'))
    .split('\n')
    .filter((line) => line.includes(' flags=O ')).length

/** Ends the monitor connections at the server, as a server does that has no room for their output. */
export const endMonitors = async (redis: RedisProcess): Promise<void> => {
  const lines = String(await redis.command('CLIENT', 'LIST')).split('\n')
  for (const line of lines.filter((each) => each.includes(' flags=O '))) {
    await redis.command('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(line)?.[1] ?? '')
  }
}

/** A client that sends many commands at once. */
export const startTraffic = async (redis: RedisProcess) => {
  const client = createClient({ url: redis.url, RESP: 2, disableClientInfo: true, maintNotifications: 'disabled' })
  client.on('error', () => undefined)
  await client.connect()
  return {
    write: (count: number, tag: string, value: string | Buffer = 'värde"\\') =>
      Promise.all(Array.from({ length: count }, (_, index) => client.sendCommand(['SET', `${tag}:${index}`, value]))),
    [Symbol.dispose]: () => client.destroy(),
  }
}
