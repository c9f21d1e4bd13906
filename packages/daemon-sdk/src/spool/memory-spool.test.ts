import { newId } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { MemorySpool } from './memory-spool.ts'
import type { SpooledChunk } from './spool.ts'

const [one, other] = [newId(), newId()]
const chunk = (captureId: string, seq: number, length = 10): SpooledChunk => ({
  captureId,
  segmentNo: 0,
  seq,
  bytes: Buffer.alloc(length),
})
const ALL = { bytes: 1e9, chunks: 1e9, skip: () => false }
const seqs = (chunks: SpooledChunk[]) => chunks.map((each) => `${each.captureId === one ? 'one' : 'other'} ${each.seq}`)

test('bytes of a segment grow with what is appended and shrink with what is acknowledged', async () => {
  const spool = new MemorySpool()
  await spool.append(chunk(one, 0, 100))
  await spool.append(chunk(one, 1, 50))
  await spool.append(chunk(other, 0, 7))
  expect(spool.bytes(one, 0)).toBe(150)
  await spool.acknowledge(chunk(one, 0))
  await spool.acknowledge(chunk(one, 0))
  expect([spool.bytes(one, 0), spool.bytes(other, 0), spool.bytes(newId(), 0)]).toEqual([50, 7, 0])
  expect([spool.has(chunk(one, 0)), spool.has(chunk(one, 1))]).toEqual([false, true])
})

test('a chunk that is appended again is held once', async () => {
  const spool = new MemorySpool()
  await spool.append(chunk(one, 0))
  await spool.append(chunk(one, 0))
  expect(spool.bytes(one, 0)).toBe(10)
  expect(await spool.peek(ALL)).toHaveLength(1)
})

test('a batch is in order of seq, within its limits, and without what is skipped', async () => {
  const spool = new MemorySpool()
  for (const seq of [0, 1, 2, 3]) await spool.append(chunk(one, seq))
  expect(seqs(await spool.peek({ ...ALL, bytes: 25 }))).toEqual(['one 0', 'one 1'])
  expect(seqs(await spool.peek({ ...ALL, chunks: 3 }))).toEqual(['one 0', 'one 1', 'one 2'])
  expect(seqs(await spool.peek({ ...ALL, skip: ({ seq }) => seq < 2 }))).toEqual(['one 2', 'one 3'])
  expect(await spool.peek({ ...ALL, skip: () => true })).toEqual([])
})

test('a chunk longer than the limit comes alone', async () => {
  const spool = new MemorySpool()
  await spool.append(chunk(one, 0, 1000))
  await spool.append(chunk(one, 1))
  expect(seqs(await spool.peek({ ...ALL, bytes: 100 }))).toEqual(['one 0'])
})

test('segments take turns, so that a long queue of one does not hold up another', async () => {
  const spool = new MemorySpool()
  for (const seq of [0, 1, 2]) await spool.append(chunk(one, seq))
  await spool.append(chunk(other, 0))
  const first = await spool.peek({ ...ALL, bytes: 10 })
  const second = await spool.peek({
    ...ALL,
    bytes: 10,
    skip: (id) => first.some((each) => each.seq === id.seq && each.captureId === id.captureId),
  })
  expect([seqs(first), seqs(second)]).toEqual([['one 0'], ['other 0']])
})

test('a discarded segment is gone and the others stay', async () => {
  const spool = new MemorySpool()
  await spool.append(chunk(one, 0))
  await spool.append(chunk(other, 0))
  await spool.discard(one, 0)
  expect(seqs(await spool.peek(ALL))).toEqual(['other 0'])
  expect(spool.bytes(one, 0)).toBe(0)
})
