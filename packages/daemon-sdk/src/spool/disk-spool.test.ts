import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { expect, test as baseTest } from 'vitest'
import { spooledChunk } from '../../test/spooled-chunk.ts'
import { DiskSpool } from './disk-spool.ts'
import { SpoolError, type ChunkId } from './spool.ts'

const captureId = newId()
const ALL = { bytes: 2 ** 40, chunks: 2 ** 40, skip: () => false }

const test = baseTest.extend('dir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-spool-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'spool')
})

const filesIn = (dir: string): string[] => readdirSync(dir).filter((name) => name.endsWith('.chunks'))
const seqsOf = (chunks: readonly ChunkId[]): number[] => chunks.map(({ seq }) => seq)
const fill = async (spool: DiskSpool, count: number, bytes?: number): Promise<void> => {
  for (let seq = 0; seq < count; seq += 1) await spool.append(await spooledChunk(captureId, seq, bytes))
}
/** Changes one byte in the middle of a file. */
const damage = (path: string, at: number): void => {
  const handle = openSync(path, 'r+')
  writeSync(handle, Buffer.from([0xff]), 0, 1, at)
  closeSync(handle)
}
const refusalOf = async (work: Promise<void>): Promise<SpoolError> => {
  try {
    await work
  } catch (error) {
    if (error instanceof SpoolError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

test('only its owner can read what is kept', async ({ dir }) => {
  await using spool = await DiskSpool.open({ dir })
  await fill(spool, 1)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  const modes = readdirSync(dir).map((name) => statSync(join(dir, name)).mode & 0o777)
  expect(modes).toEqual([0o600, 0o600])
})

test('a chunk is offered once it is synced, which takes about 100 ms at most', async ({ dir }) => {
  await using spool = await DiskSpool.open({ dir })
  await fill(spool, 1)
  await spool.synced()
  // The sync before was just now, so the next one waits.
  await spool.append(await spooledChunk(captureId, 1))
  expect(seqsOf(await spool.peek(ALL))).toEqual([0])
  const begun = performance.now()
  await spool.synced()
  expect(performance.now() - begun).toBeLessThan(1000)
  expect(seqsOf(await spool.peek(ALL))).toEqual([0, 1])
})

test('files go when all of their chunks are freed, and nothing is left of a segment that is discarded', async ({
  dir,
}) => {
  await using spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
  await spool.note({ captureId, segmentNo: 0 }, { opened: true })
  await fill(spool, 20, 50_000)
  const full = filesIn(dir).length
  expect(full).toBeGreaterThan(5)
  for (let seq = 0; seq < 10; seq += 1) await spool.acknowledge({ captureId, segmentNo: 0, seq })
  await poll(() => filesIn(dir).length < full, { what: 'files to be deleted' })
  await spool.discard(captureId, 0)
  await poll(() => readdirSync(dir).length === 0, { what: 'all to be deleted' })
  expect(spool.usedBytes).toBe(0)
})

test('notes and what was cut come back, with what is committed apart from what is lost', async ({ dir }) => {
  {
    await using spool = await DiskSpool.open({ dir })
    await spool.note({ captureId, segmentNo: 0 }, { opened: 'yes' })
    await fill(spool, 4)
    await spool.acknowledge({ captureId, segmentNo: 0, seq: 0 })
    await spool.note({ captureId, segmentNo: 0 }, { ended: 'no' })
  }
  const [file] = filesIn(dir)
  damage(join(dir, file!), statSync(join(dir, file!)).size - 400)
  await using spool = await DiskSpool.open({ dir })
  const [restored] = spool.takeRestored()
  expect(restored).toMatchObject({ captureId, segmentNo: 0, notes: [{ opened: 'yes' }, { ended: 'no' }] })
  expect(seqsOf(restored!.chunks.map((each) => ({ ...each, captureId, segmentNo: 0 })))).toEqual([0, 1, 2, 3])
  expect(restored!.lost).toEqual([expect.objectContaining({ seq: 2, lines: 1 })])
  expect(seqsOf(await spool.peek(ALL))).toEqual([1, 3])
  expect(spool.takeRestored()).toEqual([])
})

test("files that are nobody's, torn or empty are no obstacle", async ({ dir }) => {
  mkdirSync(dir, { recursive: true })
  for (const [name, content] of [
    ['000000000007.chunks', 'SNDC'],
    ['000000000008.chunks', ''],
    [`${captureId}-0.ledger`, 'torn'],
    ['something else', 'x'],
  ] as const) {
    writeFileSync(join(dir, name), content)
  }
  await using spool = await DiskSpool.open({ dir })
  expect(spool.takeRestored()).toEqual([])
  await fill(spool, 1)
  await spool.synced()
  expect(seqsOf(await spool.peek(ALL))).toEqual([0])
})

test('a chunk that is damaged on disk is told and not sent, and the others are', async ({ dir }) => {
  const damaged: ChunkId[] = []
  await using spool = await DiskSpool.open({ dir, onDamaged: (id) => damaged.push(id) })
  await fill(spool, 3)
  await spool.synced()
  damage(join(dir, filesIn(dir)[0]!), 300)
  expect(seqsOf(await spool.peek(ALL))).toEqual([1, 2])
  expect(damaged).toEqual([{ captureId, segmentNo: 0, seq: 0 }])
  expect(spool.has({ captureId, segmentNo: 0, seq: 0 })).toBe(false)
})

test('a spool that holds what it may refuses, keeps what it has, and takes more when some is freed', async ({
  dir,
}) => {
  await using spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
  let kept = 0
  let refusal: SpoolError | undefined
  while (!refusal) {
    const chunk = await spooledChunk(captureId, kept, 60_000)
    refusal = await spool.append(chunk).then(
      () => undefined,
      (error: SpoolError) => error,
    )
    if (!refusal) kept += 1
    expect(kept).toBeLessThan(20)
  }
  expect(refusal).toMatchObject({ kind: 'full', message: expect.stringContaining('SONDE_SPOOL_BYTES') })
  expect(kept).toBeGreaterThan(14)
  expect(spool.usedBytes).toBeLessThanOrEqual(2 ** 20)
  await spool.synced()
  expect(seqsOf(await spool.peek(ALL))).toEqual([...Array(kept).keys()])
  for (let seq = 0; seq < 6; seq += 1) await spool.acknowledge({ captureId, segmentNo: 0, seq })
  await spool.append(await spooledChunk(captureId, kept + 1, 60_000))
  expect(spool.has({ captureId, segmentNo: 0, seq: kept + 1 })).toBe(true)
})

test('what is committed can be had again, after a restart too, until its segment is discarded', async ({ dir }) => {
  const ids = [0, 1, 2].map((seq) => ({ captureId, segmentNo: 0, seq }))
  {
    await using spool = await DiskSpool.open({ dir })
    await spool.note({ captureId, segmentNo: 0 }, { opened: true })
    await fill(spool, 3)
    for (const id of ids) await spool.acknowledge(id)
    await spool.synced()
    expect([spool.bytes(captureId, 0), await spool.peek(ALL)]).toEqual([0, []])
    expect(spool.takeBack(ids[1]!)).toBe(true)
    expect(seqsOf(await spool.peek(ALL))).toEqual([1])
    await spool.acknowledge(ids[1]!)
  }
  await using spool = await DiskSpool.open({ dir })
  expect(spool.takeRestored()[0]!.lost).toEqual([])
  expect(await spool.peek(ALL)).toEqual([])
  expect(spool.takeBack(ids[2]!)).toBe(true)
  expect(seqsOf(await spool.peek(ALL))).toEqual([2])
  await spool.discard(captureId, 0)
  expect(ids.map((id) => spool.takeBack(id))).toEqual([false, false, false])
})

test('what is committed takes a quarter of the spool at most, the oldest goes first, and none of it refuses a chunk', async ({
  dir,
}) => {
  await using spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
  for (let seq = 0; seq < 40; seq += 1) {
    await spool.append(await spooledChunk(captureId, seq, 60_000))
    await spool.acknowledge({ captureId, segmentNo: 0, seq })
  }
  const sizes = () => filesIn(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
  // Files are deleted whole: one of 128 KiB may be over the quarter, beside the one that is written to.
  await poll(() => sizes() <= 2 ** 18 + 2 * 2 ** 17 + 60_000, { what: 'old files to go' })
  expect(spool.takeBack({ captureId, segmentNo: 0, seq: 0 })).toBe(false)
  expect(spool.takeBack({ captureId, segmentNo: 0, seq: 39 })).toBe(true)
  // Its file of three chunks and twelve more are nearly all that 1 MiB holds: what else is committed makes room.
  for (let seq = 40; seq < 52; seq += 1) await spool.append(await spooledChunk(captureId, seq, 60_000))
  await spool.synced()
  expect(seqsOf(await spool.peek(ALL)).toSorted((a, b) => a - b)).toEqual([...Array(13).keys()].map((at) => at + 39))
})

test('a full disk is told as such, keeps what was written, and is written to again when there is space', async ({
  dir,
  skip,
}) => {
  mkdirSync(dir, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    return skip('a small file system cannot be mounted here')
  }
  try {
    await using spool = await DiskSpool.open({ dir: join(dir, 'spool') })
    await fill(spool, 4, 60_000)
    writeFileSync(join(dir, 'ballast'), Buffer.alloc(700_000))
    const begun = performance.now()
    const refusal = await refusalOf(fillFrom(spool, 4))
    expect(refusal).toMatchObject({ kind: 'full', message: expect.stringContaining('Free space') })
    // It was tried for a while.
    expect(performance.now() - begun).toBeGreaterThan(1900)
    rmSync(join(dir, 'ballast'))
    await spool.append(await spooledChunk(captureId, 100, 60_000))
    await spool.synced()
    const seqs = seqsOf(await spool.peek(ALL))
    expect(seqs.slice(0, 4)).toEqual([0, 1, 2, 3])
    expect(seqs.at(-1)).toBe(100)
  } finally {
    execFileSync('umount', [dir])
  }
})

const fillFrom = async (spool: DiskSpool, first: number): Promise<void> => {
  for (let seq = first; seq < first + 20; seq += 1) await spool.append(await spooledChunk(captureId, seq, 60_000))
}

test('space that comes back in time costs nothing', async ({ dir, skip }) => {
  mkdirSync(dir, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    return skip('a small file system cannot be mounted here')
  }
  try {
    const warnings: string[] = []
    const log = { info: () => undefined, warn: (_fields: object, message: string) => void warnings.push(message) }
    await using spool = await DiskSpool.open({ dir: join(dir, 'spool'), log })
    await fill(spool, 1, 60_000)
    writeFileSync(join(dir, 'ballast'), Buffer.alloc(950_000))
    const filling = fillFrom(spool, 1).catch((error: unknown) => error)
    await poll(() => warnings.length > 0, { what: 'the write to fail' })
    rmSync(join(dir, 'ballast'))
    const error = await Promise.race([
      filling,
      poll(() => spool.has({ captureId, segmentNo: 0, seq: 10 }), { what: 'ten' }),
    ])
    expect(error).toBe(true)
    await filling
  } finally {
    execFileSync('umount', [dir])
  }
})
