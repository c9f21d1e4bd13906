import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskSpool, type RestoredSegment } from '@sonde/daemon-sdk'
import { poll, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { monitors, startNodeAt, startTraffic } from '../test/node.ts'
import { pastOf } from './segment-past.ts'

const test = redisTest.extend('dir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-segment-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'spool')
})

const CHUNK = { bytes: 65_536, ms: 50, lines: 5000, maxLineBytes: 2 ** 20 }
const linesOf = (chunks: RestoredSegment['chunks']): number => chunks.reduce((sum, { lines }) => sum + lines, 0)
const ALL = { bytes: 2 ** 40, chunks: 2 ** 40, skip: () => false }

test('a full spool ends the segment, closes the connection, and tells what was lost by range, lines and bytes', async ({
  dir,
}) => {
  await using redis = await startRedis()
  {
    await using spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
    await using node = await startNodeAt(redis, spool)
    node.store.silence()
    await node.run(node.open({ chunk: CHUNK }))
    await node.begin()
    using traffic = await startTraffic(redis)
    const untilMs = performance.now() + 30_000
    for (let sent = 0; !node.reports.some(({ end }) => end !== undefined); sent += 1) {
      expect(performance.now()).toBeLessThan(untilMs)
      // Random, or compression would make it small.
      const values = Array.from({ length: 16 }, () => randomBytes(4096).toString('base64'))
      await Promise.all(values.map((value) => traffic.write(1, `k${sent}`, value)))
    }
    const { end, counters, gaps } = await node.end()
    expect(end).toMatchObject({
      outcome: 'truncated',
      reason: 'overrun',
      detail: expect.stringContaining('SONDE_SPOOL_BYTES'),
    })
    await poll(async () => (await monitors(redis)) === 0, { what: 'the monitor connection to be closed' })
    expect(gaps).toMatchObject([{ reason: 'overrun', missing: expect.anything() }])
    const { lostLines, lostBytes, missing } = gaps![0]!
    await spool.synced()
    const held = await spool.peek(ALL)
    // The last chunk is cut short, so that it may fit where a whole one did not.
    const { fromSeq, toSeq } = missing!
    const seqs = held.map(({ seq }) => seq)
    expect(seqs.filter((seq) => seq <= toSeq)).toEqual([...Array(fromSeq).keys()])
    expect(seqs.filter((seq) => seq > toSeq).length).toBeLessThanOrEqual(1)
    expect(lostLines).toBeGreaterThan(0)
    expect(lostBytes).toBeGreaterThan(lostLines!)
    expect(counters.recorded).toBeGreaterThan(lostLines!)
  }

  // What is told is what a daemon finds that is started after this one.
  await using spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
  const [restored] = spool.takeRestored()
  const past = pastOf(restored!)!
  const [gap] = past.gaps
  expect(past.end).toMatchObject({ outcome: 'truncated', reason: 'overrun' })
  expect(past.lost.map(({ seq }) => seq)).toEqual(
    Array.from({ length: past.lost.length }, (_, index) => gap!.missing!.fromSeq + index),
  )
  expect([linesOf(past.lost), past.lost.at(-1)?.seq]).toEqual([gap!.lostLines, gap!.missing!.toSeq])
  expect(past.counters.recorded).toBe(linesOf(past.chunks))
})

test('a segment that is over and proved leaves nothing in the spool', async ({ dir }) => {
  await using redis = await startRedis()
  await using spool = await DiskSpool.open({ dir })
  await using node = await startNodeAt(redis, spool)
  await node.run(node.open())
  await node.begin()
  using traffic = await startTraffic(redis)
  await traffic.write(500, 'k')
  await node.stop()
  expect(await node.manifest()).toEqual(node.store.manifestOf(node.key()))
  await poll(() => spool.usedBytes === 0 || node.segments.count === 0, { what: 'the segment to be forgotten' })
  await spool.synced()
  expect(spool.bytes(node.captureId, 0)).toBe(0)
  await spool[Symbol.asyncDispose]()
  await using again = await DiskSpool.open({ dir })
  expect(again.takeRestored()).toEqual([])
})
