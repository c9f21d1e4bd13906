import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Dialect } from '@sonde/capture-format'
import { ChunkFlag, decompressLines, dialectOfCode, type ChunkEncoding } from '@sonde/capture-format/chunk'
import { encodeProfile, Profile, Profiler } from '@sonde/capture-format/profile'
import { inTransaction } from '@sonde/database'
import { loop, pause } from '../../core/loop.ts'
import type { Resources } from '../../core/resources.ts'
import { findCaptureRef } from '../chunk-store.ts'
import { BLOCK_CHUNKS } from './block.ts'
import * as store from './profile-store.ts'
import type { BlockChunk, DueSegment } from './profile-store.ts'

const INTERVAL_MS = 2000
/** Between two looks at a segment that another replica counts. */
const BUSY_MS = 100
/** After a block so many times as long as it took are left to uploads and tails, which share the thread. */
const REST = 3
/** Chunks read at once: about 100 KB of bodies, and 64 MiB when each is as large as it may be. */
const BATCH = 4
/** Lines are counted in pieces of so many bytes, some 2 ms each, with a turn of the event loop behind each. */
const PIECE_BYTES = 2 ** 16
const LF = 10

/** Makes the profiles of running and recent captures in the background, one block after the other, for a quarter of the time at most. */
export const sweepProfiles = (resources: Resources): Promise<void> => {
  const { db, clock, log, stopping } = resources
  return loop({
    name: 'captures.profiles',
    intervalMs: INTERVAL_MS,
    signal: stopping,
    clock,
    log,
    work: async () => {
      for (const segment of await store.findDueSegments(db)) {
        for (;;) {
          const from = clock.monotonicMs()
          if (stopping.aborted || (await makeNext(resources, segment, true)) !== Outcome.made) break
          await pause(clock, REST * (clock.monotonicMs() - from), stopping)
        }
      }
    },
  })
}

/**
 * Makes what is missing of one capture's profiles, also of a block that may get more chunks, until the signal aborts. What another replica
 * is at is waited for.
 */
export const makeProfiles = async (resources: Resources, captureId: string, signal: AbortSignal): Promise<void> => {
  const capture = await findCaptureRef(resources.db, captureId)
  if (!capture) return
  for (const segment of await store.findDueSegmentsOf(resources.db, capture)) {
    while (!signal.aborted) {
      const outcome = await makeNext(resources, segment, false)
      if (outcome === Outcome.none) break
      if (outcome === Outcome.busy) await pause(resources.clock, BUSY_MS, signal)
    }
  }
}

/** `busy`: another replica is at the segment, or its chunks were replaced meanwhile. */
const Outcome = { made: 'made', none: 'none', busy: 'busy' } as const
type Outcome = (typeof Outcome)[keyof typeof Outcome]

/**
 * Makes one profile, where one is due. The claim is a lock of the transaction, so that of a replica that dies is free at once, and
 * nothing that it did stays.
 */
const makeNext = (resources: Resources, segment: DueSegment, isSweep: boolean): Promise<Outcome> =>
  inTransaction(resources.db, async (trx) => {
    if (!(await store.claimSegment(trx, segment))) return Outcome.busy
    const onlyWhole = isSweep && !(await store.isSettled(trx, segment))
    const fromSeq = await store.findDueBlock(trx, segment, onlyWhole)
    if (fromSeq === undefined) return Outcome.none
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
    return (await store.storeProfile(trx, segment, made)) ? Outcome.made : Outcome.busy
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
