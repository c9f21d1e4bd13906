import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Dialect } from '@sonde/capture-format'
import { ChunkFlag, decompressLines, dialectOfCode, type ChunkEncoding } from '@sonde/capture-format/chunk'
import { encodeProfile, Profile, Profiler } from '@sonde/capture-format/profile'
import { inTransaction } from '@sonde/database'
import { loop } from '../../core/loop.ts'
import type { Resources } from '../../core/resources.ts'
import { findCaptureRef } from '../chunk-store.ts'
import { BLOCK_CHUNKS } from './block.ts'
import * as store from './profile-store.ts'
import type { BlockChunk, DueSegment } from './profile-store.ts'

const INTERVAL_MS = 2000
/** Chunks read at once: about 400 KB of bodies. */
const BATCH = 16
/** Lines are counted in pieces of so many bytes, some 2 ms each, with a turn of the event loop behind each. */
const PIECE_BYTES = 2 ** 16
const LF = 10

/** Makes the profiles of running and recent captures in the background, one block after the other. */
export const sweepProfiles = (resources: Resources): Promise<void> =>
  loop({
    name: 'captures.profiles',
    intervalMs: INTERVAL_MS,
    signal: resources.stopping,
    clock: resources.clock,
    log: resources.log,
    work: async () => {
      for (const segment of await store.findDueSegments(resources.db)) {
        while (!resources.stopping.aborted && (await makeNext(resources, segment, true)));
      }
    },
  })

/**
 * Makes what is missing of one capture's profiles, also of a block that may get more chunks, until the signal aborts. Blocks that another
 * replica is at are left to it.
 */
export const makeProfiles = async (resources: Resources, captureId: string, signal: AbortSignal): Promise<void> => {
  const capture = await findCaptureRef(resources.db, captureId)
  if (!capture) return
  for (const segment of await store.findDueSegmentsOf(resources.db, capture)) {
    while (!signal.aborted && (await makeNext(resources, segment, false)));
  }
}

/**
 * Makes one profile. False when none is due, or another replica is at the segment: the claim is a lock of the transaction, so
 * that of a replica that dies is free at once, and nothing that it did stays.
 */
const makeNext = (resources: Resources, segment: DueSegment, isSweep: boolean): Promise<boolean> =>
  inTransaction(resources.db, async (trx) => {
    if (!(await store.claimSegment(trx, segment))) return false
    const onlyWhole = isSweep && !(await store.isSettled(trx, segment))
    const fromSeq = await store.findDueBlock(trx, segment, onlyWhole)
    if (fromSeq === undefined) return false
    const profile = new Profile()
    const counter = new ChunkCounter(profile)
    const hash = createHash('sha256')
    let chunkCount = 0
    const toSeq = fromSeq + BLOCK_CHUNKS - 1
    for (let afterSeq = fromSeq - 1; ;) {
      const chunks = await store.readBlock(trx, segment, { afterSeq, toSeq, limit: BATCH })
      for (const chunk of chunks) {
        hash.update(chunk.sha256)
        if (!chunk.isShown) continue
        await counter.add(chunk).catch((err: unknown) => {
          const { captureId, segmentNo } = segment
          resources.log.error({ captureId, segmentNo, seq: chunk.seq, err }, 'a chunk cannot be read for its profile')
        })
      }
      chunkCount += chunks.length
      const last = chunks.at(-1)
      if (!last || chunks.length < BATCH) break
      afterSeq = last.seq
    }
    const made = { fromSeq, chunkCount, sha256: hash.digest(), profile: encodeProfile(profile) }
    await store.storeProfile(trx, segment, made)
    return true
  })

/** Counts the lines of chunks into one profile. */
class ChunkCounter {
  readonly #profile: Profile
  readonly #profilers = new Map<Dialect, Profiler>()

  constructor(profile: Profile) {
    this.#profile = profile
  }

  /** Throws `chunk.checksum_mismatch`, with nothing counted, where the body is not what its row says. */
  async add({ encoding, body, rawBytes, dialect: code, flags }: BlockChunk): Promise<void> {
    const lines = await decompressLines(encoding as ChunkEncoding, body, rawBytes)
    const dialect = dialectOfCode(code) ?? 'bracket'
    const profiler = this.#profilers.get(dialect) ?? new Profiler({ dialect })
    this.#profilers.set(dialect, profiler)
    for (let start = 0; start < lines.length;) {
      const found = lines.indexOf(LF, start + PIECE_BYTES)
      const end = found < 0 ? lines.length : found + 1
      const hasCutLine = end === lines.length && (flags & ChunkFlag.cutLine) !== 0
      profiler.add(this.#profile, lines.subarray(start, end), { hasCutLine })
      start = end
      await setImmediate()
    }
  }
}
