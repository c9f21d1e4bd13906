import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Capture, CaptureStartResult, TargetList } from '@sonde/contracts'
import { poll, startDaemon, startRedis, type RedisProcess } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { daemonTest } from './daemon-fixture.ts'

const MINUTE = 60_000
const CHUNKS = 8

/** One daemon beside one real server, and a capture of it. */
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
  .extend('captures', ({ rpc, workspace: { sessionId } }) => {
    const get = (id: string) => rpc.query<Capture>('captures.get', { id })
    return {
      get,
      start: async (): Promise<string> => {
        const declared = async () => (await rpc.query<TargetList>('targets.list', { sessionId })).targets.length > 0
        await poll(declared, { what: 'the target to be declared' })
        const input = { sessionId, scope: { kind: 'primaries' }, require: 'all', durationMs: 5 * MINUTE }
        return (await rpc.mutate<CaptureStartResult>('captures.start', input)).capture.id
      },
      stop: async (id: string) => {
        await rpc.mutate<Capture>('captures.stop', { id, waitMs: 0 })
        const over = async () => ((await get(id)).status === 'running' ? undefined : get(id))
        return poll(over, { what: 'the capture to end', timeoutMs: 30_000 })
      },
      raw: (id: string) => rpc.raw(id),
    }
  })
  .extend('store', ({ database: { db } }) => ({
    db,
    /** Forgets chunks, totals and all, as one that was put back from a copy. */
    forget: (captureId: string, seqs: number[]) =>
      db.transaction().execute(async (trx) => {
        for (const table of ['capture_summaries', 'capture_chunks'] as const) {
          await trx.deleteFrom(table).where('capture_id', '=', captureId).where('seq', 'in', seqs).execute()
        }
        const left = await trx
          .selectFrom('capture_chunks')
          .select(['line_count', 'raw_bytes'])
          .where('capture_id', '=', captureId)
          .execute()
        const sum = (name: 'line_count' | 'raw_bytes') => left.reduce((total, chunk) => total + chunk[name], 0)
        await trx
          .updateTable('capture_segments')
          .set({ line_count: sum('line_count'), byte_count: sum('raw_bytes'), chunk_count: left.length })
          .where('capture_id', '=', captureId)
          .execute()
      }),
    /** Numbers of the chunks that came as repairs. */
    repaired: async (captureId: string): Promise<number[]> => {
      const query = db.selectFrom('capture_chunks').select('seq').where('capture_id', '=', captureId)
      return (await query.where('origin', '=', 'repair').orderBy('seq').execute()).map(({ seq }) => seq)
    },
  }))

/** Writes numbered commands until so many chunks are stored. */
const fill = async (redis: RedisProcess, stored: () => Promise<number>): Promise<number> => {
  let number = 0
  const writing = async (): Promise<boolean> => {
    await redis.command('SET', `n:${number}`, 'v')
    number += 1
    return (await stored()) >= CHUNKS
  }
  await poll(writing, { what: `${CHUNKS} chunks to be stored`, everyMs: 20, timeoutMs: 60_000 })
  return number
}

const numbersIn = (lines: string): number[] => [...lines.matchAll(/"SET" "n:(\d+)" /g)].map((match) => Number(match[1]))
const range = (end: number): number[] => Array.from({ length: end }, (_, index) => index)
test(
  'C3: chunks that the store lacks are found at the end, sent again as repairs, and the roots agree',
  { timeout: 3 * MINUTE },
  async ({ redis, store, captures, daemonAgain, stateDir }) => {
    await daemonAgain()
    const id = await captures.start()
    const written = await fill(redis, async () => (await captures.get(id)).segments[0]!.chunkCount)
    await store.forget(id, [1, 3, 4])
    const ended = await captures.stop(id)
    expect(ended).toMatchObject({ status: 'completed', segments: [{ storage: 'complete', missing: [] }] })
    expect(ended.segments[0]!.lineCount).toBe(ended.segments[0]!.counters.recorded)
    const numbers = numbersIn(await captures.raw(id))
    expect(numbers).toEqual(range(written))
    expect(await store.repaired(id)).toEqual([1, 3, 4])
    // The proof frees the spool.
    const ledgers = () => readdirSync(join(stateDir, 'spool')).filter((name) => name.endsWith('.ledger'))
    await poll(() => ledgers().length === 0, { what: 'nothing of the segment to be kept' })
  },
)

test(
  'C3: a chunk that was changed at rest is found by its hash, and only that one is replaced',
  { timeout: 3 * MINUTE },
  async ({ redis, store, captures, daemonAgain }) => {
    await daemonAgain()
    const id = await captures.start()
    const written = await fill(redis, async () => (await captures.get(id)).segments[0]!.chunkCount)
    await store.db
      .updateTable('capture_chunks')
      .set({ sha256: Buffer.alloc(32, 7), body: Buffer.from('changed') })
      .where('capture_id', '=', id)
      .where('seq', '=', 2)
      .execute()
    const ended = await captures.stop(id)
    expect(ended).toMatchObject({ status: 'completed', segments: [{ storage: 'complete', missing: [] }] })
    expect(ended.segments[0]!.lineCount).toBe(ended.segments[0]!.counters.recorded)
    expect(numbersIn(await captures.raw(id))).toEqual(range(written))
    expect(await store.repaired(id)).toEqual([2])
  },
)

test(
  'C3: where the spool is lost too the segment is incomplete with exactly those ranges',
  { timeout: 3 * MINUTE },
  async ({ redis, store, captures, daemonAgain, stateDir }) => {
    const daemon = await daemonAgain()
    const id = await captures.start()
    await fill(redis, async () => (await captures.get(id)).segments[0]!.chunkCount)
    await daemon.kill('SIGKILL')
    const spool = join(stateDir, 'spool')
    const files = readdirSync(spool).filter((name) => name.endsWith('.chunks'))
    expect(files).not.toEqual([])
    for (const name of files) rmSync(join(spool, name))
    await store.forget(id, [1, 3, 4])
    await daemonAgain()
    const ended = await captures.stop(id)
    const missing = [
      { fromSeq: 1, toSeq: 1 },
      { fromSeq: 3, toSeq: 4 },
    ]
    expect(ended.segments).toMatchObject([{ status: 'incomplete', storage: 'incomplete', missing }])
  },
)
