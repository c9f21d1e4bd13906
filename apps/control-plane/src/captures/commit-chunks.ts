import { ERRORS, toSondeError } from '@sonde/contracts'
import { databaseErrorOf, inTransaction } from '@sonde/database'
import { sql } from 'kysely'
import { createGroupCommit } from '../core/group-commit.ts'
import type { Resources } from '../core/resources.ts'
import { storeChunks, type CheckedChunk, type ChunkOutcome } from './store-chunks.ts'

/** Uploads that arrive within so many milliseconds share a transaction; while one is on its way, all that arrive do. */
const WINDOW_MS = 3
/** Of one statement: its parameters are in memory twice. */
const GROUP_BYTES = 16 * 2 ** 20
/** What a chunk counts at the least: 16 parameters of the 65,535 that a statement may have make 4,095 chunks at most. */
const LEAST_CHUNK_BYTES = 8 * 2 ** 10
/** How long a group waits for a segment that another transaction holds, in milliseconds: its other chunks wait too. */
const LOCK_WAIT_MS = 1_000
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Stores the checked chunks of an upload together with those of the uploads that come at the same time, and answers after the
 * commit, the outcome of each in their order. Throws where the database can store nothing, whatever the chunk.
 */
export const createChunkCommit = (resources: Resources): ((chunks: CheckedChunk[]) => Promise<ChunkOutcome[]>) =>
  createGroupCommit<CheckedChunk[], ChunkOutcome[]>({
    clock: resources.clock,
    windowMs: WINDOW_MS,
    sizeOf: (chunks) =>
      chunks.reduce((sum, { body, summary }) => sum + Math.max(LEAST_CHUNK_BYTES, body.length + summary.length), 0),
    mostSize: GROUP_BYTES,
    commit: async (uploads) => {
      const outcomes = await storeEach(resources, uploads.flat())
      return uploads.map((chunks) => outcomes.splice(0, chunks.length))
    },
  })

/** Stores all in one transaction; where one of them spoils it, that one is found by halves and fails alone. */
const storeEach = async (resources: Resources, chunks: CheckedChunk[]): Promise<ChunkOutcome[]> => {
  try {
    return await storeFree(resources, chunks)
  } catch (thrown) {
    const error = toSondeError(thrown)
    if (ERRORS[error.code].retryable) throw error
    const [only] = chunks
    if (only !== undefined && chunks.length === 1) {
      const { captureId, segmentNo, seq } = only.header
      resources.log.error({ captureId, segmentNo, seq, err: thrown }, 'a chunk could not be stored')
      return [error.code]
    }
    const middle = Math.ceil(chunks.length / 2)
    const first = await storeEach(resources, chunks.slice(0, middle))
    return [...first, ...(await storeEach(resources, chunks.slice(middle)))]
  }
}

/** Waits a moment for segments that are held elsewhere, then goes on without them: their chunks are sent again. */
const storeFree = async ({ db }: Resources, chunks: CheckedChunk[]): Promise<ChunkOutcome[]> => {
  try {
    return await inTransaction(db, async (trx) => {
      await sql`select set_config('lock_timeout', ${String(LOCK_WAIT_MS)}, true)`.execute(trx)
      return storeChunks(trx, chunks, true)
    })
  } catch (error) {
    if (databaseErrorOf(error)?.code !== LOCK_NOT_AVAILABLE) throw error
    return inTransaction(db, (trx) => storeChunks(trx, chunks, false))
  }
}
