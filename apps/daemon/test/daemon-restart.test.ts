import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyChunk } from '@sonde/capture-format/chunk'
import type { Capture, CaptureStartResult, TargetList } from '@sonde/contracts'
import { DiskSpool } from '@sonde/daemon-sdk'
import { poll, startDaemon, startRedis, type RedisProcess } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import { createClient } from '@redis/client'
import { expect } from 'vitest'
import { daemonTest } from './daemon-fixture.ts'

const MINUTE = 60_000

/** One daemon beside one real server, which can be killed and started again with the same state directory. */
const test = daemonTest
  .extend('redis', async ({ task: _task, skip }, { onCleanup }) => {
    requireRedis({ skip })
    const redis = await startRedis()
    onCleanup(() => redis[Symbol.asyncDispose]())
    return redis
  })
  .extend('daemonAgain', ({ server, workspace, redis, stateDir }, { onCleanup }) => {
    const started: AsyncDisposable[] = []
    onCleanup(async () => {
      for (const daemon of started) await daemon[Symbol.asyncDispose]()
    })
    return async () => {
      const token = workspace.nodeToken
      const daemon = await startDaemon({ url: server.url, token, stateDir, sources: ['--target', redis.url] })
      started.push(daemon)
      return daemon
    }
  })
  .extend('captures', ({ rpc, server, workspace: { sessionId } }, { onCleanup }) => {
    // A test that fails while it is stopped would fail the others too.
    onCleanup(() => server.kill('SIGCONT'))
    return {
      start: async (): Promise<Capture> => {
        const declared = async () => (await rpc.query<TargetList>('targets.list', { sessionId })).targets.length > 0
        await poll(declared, { what: 'the target to be declared' })
        const scope = { kind: 'primaries' }
        const input = { sessionId, scope, require: 'all', durationMs: 5 * MINUTE }
        return (await rpc.mutate<CaptureStartResult>('captures.start', input)).capture
      },
      get: (id: string) => rpc.query<Capture>('captures.get', { id }),
      stop: (id: string, waitMs: number) => rpc.mutate<Capture>('captures.stop', { id, waitMs }),
      numbers: async (id: string): Promise<number[]> => numbersIn(await rpc.raw(id)),
    }
  })

/** Writes `SET n:<i>`, i from `first`, and returns when the server has executed all. */
const write = async (redis: RedisProcess, first: number, count: number): Promise<void> => {
  const client = createClient({ url: redis.url, RESP: 2, disableClientInfo: true, maintNotifications: 'disabled' })
  client.on('error', () => undefined)
  await client.connect()
  await Promise.all(Array.from({ length: count }, (_, index) => client.set(`n:${first + index}`, 'v')))
  client.destroy()
}

const numbersIn = (lines: string): number[] => [...lines.matchAll(/"SET" "n:(\d+)" /g)].map((match) => Number(match[1]))
const ascending = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b)
const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, index) => first + index)

/** The numbers of the chunks that a spool holds, read from a copy, as another process would find them now. */
const spooledNumbers = async (stateDir: string): Promise<number[]> => {
  const root = mkdtempSync(join(tmpdir(), 'sonde-copy-'))
  try {
    cpSync(join(stateDir, 'spool'), join(root, 'spool'), { recursive: true })
    await using spool = await DiskSpool.open({ dir: join(root, 'spool') })
    const chunks = await spool.peek({ bytes: 2 ** 40, chunks: 2 ** 40, skip: () => false })
    const lines = await Promise.all(
      chunks.map(async ({ bytes }) => (await verifyChunk(bytes)).lines.toString('latin1')),
    )
    return lines.flatMap(numbersIn)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const hasMonitor = async (redis: RedisProcess): Promise<boolean> =>
  String(await redis.command('CLIENT', 'LIST')).includes(' flags=O ')

test(
  'kill -9 of a daemon in the middle: the capture goes on, what was read is stored once, and the gap is told',
  { timeout: 4 * MINUTE },
  async ({ redis, server, captures, stateDir, daemonAgain }) => {
    const daemon = await daemonAgain()
    const capture = await captures.start()
    await write(redis, 0, 5000)
    const stored = async () => (await captures.get(capture.id)).lineCount
    await poll(async () => (await stored()) > 0, { what: 'chunks to be stored' })
    // From here on nothing is stored, and the spool grows.
    await server.kill('SIGSTOP')
    await write(redis, 5000, 5000)
    await poll(async () => (await spooledNumbers(stateDir)).includes(9999), {
      what: 'the spool to have it all',
      timeoutMs: 30_000,
    })
    await write(redis, 10_000, 2000)
    await daemon.kill('SIGKILL')
    const spooled = await spooledNumbers(stateDir)
    await server.kill('SIGCONT')
    const acknowledged = await captures.numbers(capture.id)

    const again = await daemonAgain()
    expect(again.nodeId).toBe(daemon.nodeId)
    await poll(() => hasMonitor(redis), { what: 'the target to be read again', timeoutMs: 20_000 })
    // What the first MONITOR line shows is recorded from the next one on.
    await write(redis, 20_000, 3000)
    const stopped = await poll(
      async () => {
        const answer = await captures.stop(capture.id, 10_000)
        return answer.status === 'running' ? undefined : answer
      },
      { what: 'the capture to end', timeoutMs: 30_000 },
    )
    const [segment] = stopped.segments
    expect(segment).toMatchObject({ status: 'incomplete', storage: 'complete', terminationReason: 'manual_stop' })
    expect(segment!.gaps).toMatchObject([{ reason: 'daemon_restarted', missing: null, lostLines: null }])
    expect(segment!.gaps[0]!.durationMs).toBeGreaterThan(0)
    const numbers = await captures.numbers(capture.id)
    expect(new Set(numbers).size).toBe(numbers.length)
    const before = new Set([...acknowledged, ...spooled])
    expect(ascending(numbers)).toEqual(ascending([...before, ...range(20_000, 23_000)]))
    expect(range(0, 10_000).filter((number) => !before.has(number))).toEqual([])
    const { counters } = segment!
    expect(counters.recorded).toBe(segment!.lineCount)
    expect(counters.received).toBe(counters.recorded + counters.ownTraffic + counters.dropped)
  },
)

test(
  'a capture that is stopped while its daemon is down ends as stopped when the daemon is back, with all that was spooled',
  { timeout: 4 * MINUTE },
  async ({ redis, server, captures, stateDir, daemonAgain }) => {
    const daemon = await daemonAgain()
    const capture = await captures.start()
    await server.kill('SIGSTOP')
    await write(redis, 0, 1000)
    await poll(async () => (await spooledNumbers(stateDir)).includes(999), {
      what: 'the spool to have it all',
      timeoutMs: 30_000,
    })
    await daemon.kill('SIGKILL')
    await server.kill('SIGCONT')
    expect((await captures.stop(capture.id, 0)).status).toBe('running')
    await daemonAgain()
    const ended = await poll(
      async () => {
        const answer = await captures.get(capture.id)
        return answer.status === 'running' ? undefined : answer
      },
      { what: 'the capture to end', timeoutMs: 30_000 },
    )
    expect(ended.segments[0]).toMatchObject({ terminationReason: 'manual_stop', storage: 'complete', lineCount: 1000 })
  },
)

test(
  'a daemon that comes back after its segment was given up ships its spool as repair, and the status stays',
  { timeout: 4 * MINUTE },
  async ({ redis, server, database, captures, stateDir, daemonAgain }) => {
    const daemon = await daemonAgain()
    const capture = await captures.start()
    await server.kill('SIGSTOP')
    await write(redis, 0, 1000)
    await poll(async () => (await spooledNumbers(stateDir)).includes(999), {
      what: 'the spool to have it all',
      timeoutMs: 30_000,
    })
    await daemon.kill('SIGKILL')
    await server.kill('SIGCONT')
    await database.db
      .updateTable('runtime_node_attachments')
      .set({ state: 'offline' })
      .where('node_id', '=', daemon.nodeId)
      .execute()
    const lost = await poll(
      async () => (await captures.get(capture.id)).segments.find((each) => each.status === 'lost'),
      { what: 'the segment to be given up', timeoutMs: 20_000 },
    )
    expect(lost).toMatchObject({ storage: 'incomplete', lineCount: 0 })
    await daemonAgain()
    const repaired = await poll(
      async () => {
        const [segment] = (await captures.get(capture.id)).segments
        return segment?.storage === 'complete' ? segment : undefined
      },
      { what: 'the storage to be complete', timeoutMs: 30_000 },
    )
    expect(repaired).toMatchObject({ status: 'lost', terminationReason: 'collector_lost', lineCount: 1000 })
    const rows = await database.db
      .selectFrom('capture_chunks')
      .select('origin')
      .distinct()
      .where('capture_id', '=', capture.id)
      .execute()
    expect(rows).toEqual([{ origin: 'repair' }])
    expect(await spooledNumbers(stateDir)).toEqual([])
    expect(await hasMonitor(redis)).toBe(false)
  },
)
