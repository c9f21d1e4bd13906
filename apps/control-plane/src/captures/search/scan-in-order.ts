import { SondeError } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { Candidate } from './candidates.ts'
import type { ChunkMatches, ScanChunk } from './chunk-scanner.ts'
import type { Position } from './position.ts'
import type { ScanJob } from './scan-pool.ts'
import { readSearchBodies } from './search-store.ts'

export interface ScanPlan {
  /** In the order of the search. */
  chunks: Candidate[]
  job: ScanJob
  /** Which rows of a chunk are wanted now. */
  wantedOf: (chunk: Candidate) => Pick<ScanChunk, 'after' | 'wanted'>
  /** Whether a chunk whose rows are not wanted must be read all the same. */
  needsLines: (chunk: Candidate) => boolean
  /** Whether reading may end before the last chunk, at one that `isPast`. */
  isEnough: () => boolean
  isPast: (chunk: Candidate) => boolean
  isLate: () => boolean
  /** Called for each chunk; null where it was not read, and all of its lines match. */
  take: (chunk: Candidate, matches: ChunkMatches | null) => void
}

/** Bytes of lines of one batch, decompressed, and how many batches are read ahead: together what a search holds. */
const BATCH_BYTES = 2 * 2 ** 20
const BATCHES_AHEAD = 4

/**
 * Reads chunks in batches, several at once, and hands out what they have. Answers the first chunk that was not read though there was
 * reason to, for lack of time; null when there is none.
 */
export const scanInOrder = async (
  { db, signal }: { db: Kysely<Schema>; signal: AbortSignal },
  plan: ScanPlan,
): Promise<Position | null> => {
  const { chunks } = plan
  const running = new Set<Promise<void>>()
  let next = 0
  try {
    while (next < chunks.length) {
      signal.throwIfAborted()
      // The first batch is always read: so each page goes on.
      if (next > 0 && plan.isLate()) return chunks[next]!
      if (plan.isEnough() && plan.isPast(chunks[next]!)) return null
      const batch: (Candidate & Pick<ScanChunk, 'after' | 'wanted'>)[] = []
      for (let bytes = 0; next < chunks.length && bytes < BATCH_BYTES; next += 1) {
        const chunk = chunks[next]!
        const wanted = plan.wantedOf(chunk)
        if (wanted.wanted === 0 && !plan.needsLines(chunk)) plan.take(chunk, null)
        else {
          batch.push({ ...chunk, ...wanted })
          bytes += chunk.rawBytes
        }
      }
      if (batch.length === 0) continue
      const work = scanBatch(db, plan, batch).finally(() => running.delete(work))
      running.add(work)
      // A failure is thrown where it is waited for; until then it must not count as unheard.
      work.catch(() => undefined)
      if (running.size >= BATCHES_AHEAD) await Promise.race(running)
    }
    return null
  } finally {
    await Promise.all(running)
  }
}

const scanBatch = async (
  db: Kysely<Schema>,
  plan: ScanPlan,
  batch: (Candidate & Pick<ScanChunk, 'after' | 'wanted'>)[],
): Promise<void> => {
  const bodies = await readSearchBodies(db, batch)
  const byKey = new Map(bodies.map((each) => [`${each.captureId}/${each.segmentNo}/${each.seq}`, each]))
  const tasks = batch.map(
    ({ capture, captureNo, segmentNo, seq, rawBytes, mergeUs, lastUs, after, wanted }): ScanChunk => {
      const stored = byKey.get(`${capture.id}/${segmentNo}/${seq}`)
      // Chunks go only with their capture.
      if (!stored) throw new SondeError('capture.not_found')
      const { encoding, dialect, flags, body } = stored
      return {
        captureNo,
        segmentNo,
        seq,
        encoding,
        dialect,
        flags,
        rawBytes,
        body,
        beforeUs: mergeUs,
        lastUs,
        after,
        wanted,
      }
    },
  )
  const matches = await plan.job.scan(tasks)
  for (const [index, chunk] of batch.entries()) plan.take(chunk, matches[index] ?? { count: 0, rows: [] })
}
