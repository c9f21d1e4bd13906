import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeChunk, splitChunks, verifyChunk } from '@sonde/capture-format/chunk'
import { newId } from '@sonde/contracts'
import { ManualClock, poll } from '@sonde/testing'
import { expect, test } from 'vitest'
import { startPeer, type Post } from '../test/scripted-peer.ts'
import { DiskSpool } from './spool/disk-spool.ts'
import { MemorySpool } from './spool/memory-spool.ts'
import type { SpooledChunk } from './spool/spool.ts'
import { createUploader, type UploaderOptions } from './uploader.ts'

const captureId = newId()

/** `bytes` of lines that do not compress, in one chunk. */
const chunkOf = async (seq: number, bytes = 200, segmentNo = 0): Promise<SpooledChunk> => {
  const lines = Buffer.from(`${randomBytes(bytes).toString('latin1').replaceAll('\n', ' ')}\n`, 'latin1')
  const fields = { captureId, segmentNo, seq, lineCount: 1, firstEventUs: 1, lastEventUs: 1, policyRevision: 0 }
  return { captureId, segmentNo, seq, bytes: await encodeChunk({ ...fields, dialect: 'bracket', lines }) }
}

const start = (url: string, options: Partial<UploaderOptions> = {}) => {
  const rejected: { seq: number; code: string }[] = []
  const uploader = createUploader({
    url,
    token: 'sonde_n_test',
    onRejected: ({ seq, code }) => rejected.push({ seq, code }),
    random: () => 0,
    ...options,
  })
  return Object.assign(uploader, { rejected })
}

const enqueueAll = async (uploader: ReturnType<typeof start>, count: number, bytes = 200): Promise<void> => {
  const chunks = await Promise.all(Array.from({ length: count }, (_, seq) => chunkOf(seq, bytes)))
  await Promise.all(chunks.map((chunk) => uploader.enqueue(chunk)))
}

const seqsOf = (peer: { posts: Post[] }): number[] => peer.posts.flatMap((post) => post.seqs)

test('a segment is flushed when all of its chunks are stored', async () => {
  await using peer = await startPeer((post) => post.settle())
  await using uploader = start(peer.url)
  await enqueueAll(uploader, 5)
  await uploader.flushed(captureId, 0)
  expect(uploader.pendingBytes(captureId, 0)).toBe(0)
  expect(seqsOf(peer).toSorted()).toEqual([0, 1, 2, 3, 4])
  const [first] = peer.posts
  expect(first?.headers['content-type']).toBe('application/octet-stream')
  expect(first?.headers['authorization']).toBe('Bearer sonde_n_test')
})

test('a chunk that was stored before counts as stored', async () => {
  await using peer = await startPeer((post) => post.settle(() => 'duplicate'))
  await using uploader = start(peer.url)
  await enqueueAll(uploader, 1)
  await uploader.flushed(captureId, 0)
  expect(uploader.rejected).toEqual([])
})

test('a chunk that was committed is sent again as a repair when it is asked for, and one that is gone is told', async () => {
  const headers: boolean[][] = []
  await using peer = await startPeer((post) => post.settle())
  const dir = mkdtempSync(join(tmpdir(), 'sonde-resend-'))
  try {
    await using spool = await DiskSpool.open({ dir })
    await using uploader = start(peer.url, { spool })
    await enqueueAll(uploader, 4)
    await uploader.flushed(captureId, 0)
    const sent = peer.posts.length
    expect(await uploader.resend({ captureId, segmentNo: 0 }, [1, 3, 9])).toEqual([9])
    await uploader.flushed(captureId, 0)
    const again = peer.posts.slice(sent)
    expect(again.flatMap(({ seqs }) => seqs).toSorted()).toEqual([1, 3])
    for (const { body } of again) {
      const chunks = [...splitChunks(body)]
      headers.push(chunks.map(({ header }) => header.isRepair))
      for (const { bytes } of chunks) await verifyChunk(bytes)
    }
    expect(headers.flat()).toEqual([true, true])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('a segment without chunks is flushed', async () => {
  await using uploader = start('http://127.0.0.1:1')
  await uploader.flushed(captureId, 0)
})

test('queued chunks travel together, in order, up to 1 MiB a POST and two POSTs at once', async () => {
  const waiting: Post[] = []
  await using peer = await startPeer((post, number) => {
    waiting.push(post)
    // Only once a second POST has come beside the first.
    if (number > 0) for (const each of waiting.splice(0)) each.settle(undefined, 64 * 2 ** 20)
  })
  await using uploader = start(peer.url)
  uploader.setCredit(64 * 2 ** 20)
  await enqueueAll(uploader, 30, 100_000)
  await uploader.flushed(captureId, 0)
  expect(peer.mostOpen).toBe(2)
  for (const post of peer.posts) {
    expect(post.bytes).toBeLessThanOrEqual(2 ** 20)
    expect(post.seqs).toEqual(post.seqs.toSorted((a, b) => a - b))
  }
  expect(seqsOf(peer).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, seq) => seq))
  expect(peer.posts.some((post) => post.seqs.length >= 9)).toBe(true)
})

test('a connection is used again', async () => {
  await using peer = await startPeer((post) => post.settle())
  await using uploader = start(peer.url)
  for (let seq = 0; seq < 10; seq += 1) {
    await uploader.enqueue(await chunkOf(seq))
    await uploader.flushed(captureId, 0)
  }
  expect(peer.posts).toHaveLength(10)
  expect(peer.connections.size).toBeLessThanOrEqual(2)
})

test('what is in flight stays within the credit, and a credit of 0 waits for the next one', async () => {
  const waiting: Post[] = []
  await using peer = await startPeer((post) => waiting.push(post))
  await using uploader = start(peer.url)
  uploader.setCredit(0)
  await enqueueAll(uploader, 4, 1000)
  expect(uploader.pendingBytes(captureId, 0)).toBeGreaterThan(4000)
  uploader.setCredit(2500)
  const first = await poll(() => waiting.shift(), { what: 'a POST' })
  expect(first.bytes).toBeLessThanOrEqual(2500)
  first.settle(undefined, 0)
  await poll(() => uploader.pendingBytes(captureId, 0) < 4000, { what: 'the acknowledgement' })
  expect(waiting).toEqual([])
  expect(peer.posts).toHaveLength(1)
  uploader.setCredit(2 ** 20)
  const second = await poll(() => waiting.shift(), { what: 'the rest' })
  second.settle()
  await uploader.flushed(captureId, 0)
  expect(seqsOf(peer)).toEqual([0, 1, 2, 3])
})

test('a chunk longer than the credit goes when nothing else is in flight', async () => {
  await using peer = await startPeer((post) => post.settle())
  await using uploader = start(peer.url)
  uploader.setCredit(100)
  await uploader.enqueue(await chunkOf(0, 5000))
  await uploader.flushed(captureId, 0)
  expect(peer.posts).toHaveLength(1)
})

test.each([
  ['a broken connection', (post: Post) => post.cut()],
  ['a status of 503', (post: Post) => post.refuse(503, 'database.unavailable')],
  ['a status of 500', (post: Post) => post.refuse(500, 'internal.unexpected')],
  ['a refused token', (post: Post) => post.refuse(401, 'auth.token_expired')],
])('%s is tried again until the chunks are stored', async (_, fail) => {
  await using peer = await startPeer((post, number) => (number < 4 ? fail(post) : post.settle()))
  await using uploader = start(peer.url)
  await uploader.enqueue(await chunkOf(0))
  await uploader.flushed(captureId, 0)
  expect(peer.posts.map((post) => post.seqs)).toEqual([[0], [0], [0], [0], [0]])
  expect(uploader.rejected).toEqual([])
})

test('the wait after failures in a row is jittered over a bound that doubles, and starts over after a success', async () => {
  const clock = new ManualClock()
  await using peer = await startPeer((post, number) => (number === 3 ? post.settle() : post.cut()))
  await using uploader = start(peer.url, { clock, random: () => 0.5 })
  await uploader.enqueue(await chunkOf(0))
  const waits: number[] = []
  const failOnce = async () => {
    // An upload's own time limit is a timer too, of more than a minute.
    const ms = await poll(() => clock.nextInMs !== undefined && clock.nextInMs < 60_000 && clock.nextInMs, {
      what: 'the wait before the next try',
    })
    waits.push(ms)
    clock.advance(ms)
  }
  for (let failures = 0; failures < 3; failures += 1) await failOnce()
  await uploader.flushed(captureId, 0)
  await uploader.enqueue(await chunkOf(1))
  await failOnce()
  expect(waits).toEqual([125, 250, 500, 125])
})

test('a damaged chunk is sent again and does not hold the others', async () => {
  await using peer = await startPeer((post) =>
    post.settle((seq) =>
      seq === 1 && seqsOf(peer).filter((each) => each === 1).length < 3 ? 'chunk.checksum_mismatch' : 'stored',
    ),
  )
  await using uploader = start(peer.url)
  await enqueueAll(uploader, 3)
  await uploader.flushed(captureId, 0)
  expect(seqsOf(peer).toSorted()).toEqual([0, 1, 1, 1, 2])
  expect(uploader.rejected).toEqual([])
})

test('a chunk that keeps coming back damaged does not slow the others', async () => {
  const clock = new ManualClock()
  await using peer = await startPeer((post) => post.settle((seq) => (seq === 0 ? 'chunk.checksum_mismatch' : 'stored')))
  await using uploader = start(peer.url, { clock, random: () => 0.5 })
  await uploader.enqueue(await chunkOf(0))
  await poll(() => peer.posts.length === 1, { what: 'the damaged chunk' })
  // The clock stands still, so whatever is stored from here on did not wait for the damaged one.
  for (const seq of [1, 2, 3]) {
    await uploader.enqueue(await chunkOf(seq, 100, 1))
    await uploader.flushed(captureId, 1)
  }
  expect(seqsOf(peer)).toEqual([0, 1, 2, 3])
  expect(uploader.pendingBytes(captureId, 0)).toBeGreaterThan(0)
})

test.each(['chunk.not_accepted', 'chunk.content_mismatch', 'capture.gone'])(
  'a chunk with the outcome %s is dropped and told, and its neighbours are stored',
  async (code) => {
    await using peer = await startPeer((post) => post.settle((seq) => (seq === 1 ? code : 'stored')))
    await using uploader = start(peer.url)
    await enqueueAll(uploader, 3)
    await uploader.flushed(captureId, 0)
    expect(uploader.rejected).toEqual([{ seq: 1, code }])
    expect(seqsOf(peer).toSorted()).toEqual([0, 1, 2])
  },
)

test('of an upload that is refused as a whole, only the chunk at fault is dropped', async () => {
  const waiting: Post[] = []
  let isReleased = false
  const judge = (post: Post) => (post.seqs.includes(3) ? post.refuse(400, 'chunk.malformed') : post.settle())
  await using peer = await startPeer((post) => (isReleased ? judge(post) : waiting.push(post)))
  await using uploader = start(peer.url)
  uploader.setCredit(0)
  await enqueueAll(uploader, 6)
  isReleased = true
  uploader.setCredit(2 ** 20)
  await uploader.flushed(captureId, 0)
  expect(peer.posts[0]?.seqs).toEqual([0, 1, 2, 3, 4, 5])
  expect(uploader.rejected).toEqual([{ seq: 3, code: 'chunk.malformed' }])
})

test('an answer that leaves a chunk out does not free it', async () => {
  await using peer = await startPeer((post, number) => {
    if (number > 0) return post.settle()
    return post.settle((seq) => (seq === 0 ? 'control_plane.error' : 'stored'))
  })
  await using uploader = start(peer.url)
  await enqueueAll(uploader, 2)
  await uploader.flushed(captureId, 0)
  expect(seqsOf(peer).filter((seq) => seq === 0)).toHaveLength(2)
})

test('a discarded segment is not sent, and whoever waits for it goes on', async () => {
  await using peer = await startPeer((post) => post.settle())
  await using uploader = start(peer.url)
  uploader.setCredit(0)
  await enqueueAll(uploader, 3)
  const flushed = uploader.flushed(captureId, 0)
  await uploader.discard(captureId, 0)
  await flushed
  uploader.setCredit(2 ** 20)
  await uploader.enqueue(await chunkOf(0, 100, 1))
  await uploader.flushed(captureId, 1)
  expect(seqsOf(peer)).toEqual([0])
})

test('disposing ends uploads that are under way', async () => {
  await using peer = await startPeer(() => undefined)
  const uploader = start(peer.url)
  await uploader.enqueue(await chunkOf(0))
  await poll(() => peer.posts.length === 1, { what: 'the POST' })
  await uploader[Symbol.asyncDispose]()
  expect(uploader.pendingBytes(captureId, 0)).toBeGreaterThan(0)
})

test('what a spool kept from an earlier process is shipped once it is told to, without what the control plane has', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-uploader-'))
  try {
    {
      await using spool = await DiskSpool.open({ dir })
      for (const seq of [0, 1, 2, 3]) await spool.append(await chunkOf(seq))
    }
    await using peer = await startPeer((post) => post.settle())
    await using spool = await DiskSpool.open({ dir })
    await using uploader = start(peer.url, { spool })
    await uploader.settled({ captureId, segmentNo: 0, seq: 1 })
    await uploader.resume()
    await uploader.flushed(captureId, 0)
    expect(seqsOf(peer)).toEqual([0, 2, 3])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('of a capture that was deleted nothing is kept or sent any more', async () => {
  await using peer = await startPeer((post) => post.settle(() => 'capture.gone'))
  const spool = new MemorySpool()
  for (let seq = 0; seq < 40; seq += 1) await spool.append(await chunkOf(seq, 100_000))
  await using uploader = start(peer.url, { spool })
  await uploader.resume()
  await uploader.flushed(captureId, 0)
  expect(spool.bytes(captureId, 0)).toBe(0)
  expect(seqsOf(peer).length).toBeLessThan(30)
  expect(uploader.rejected[0]).toMatchObject({ code: 'capture.gone' })
})
