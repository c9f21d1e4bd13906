import { chunkFlags, dialectCode, type VerifiedChunk } from '@sonde/capture-format/chunk'
import type { ErrorCode } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { lockPolicyFloors } from '../sessions/index.ts'
import { deleteOthers } from './delete-others.ts'
import { deletedInSession } from './retention-store.ts'
import {
  capturesInSession,
  chunkKey,
  growSegments,
  insertChunks,
  insertSummaries,
  lockSegments,
  readStoredHashes,
  type Holder,
  type NewChunk,
  type SegmentClaim,
  type SegmentGrowth,
  type SegmentRef,
} from './chunk-store.ts'

/** What became of one chunk of an upload. */
export type ChunkOutcome = 'stored' | 'duplicate' | ErrorCode

/** A chunk that has been verified, of which the lines are not needed any more, and who sent it. */
export interface CheckedChunk extends Omit<VerifiedChunk, 'lines'> {
  holder: Holder
}

const LARGEST_SEGMENT_NO = 2 ** 31 - 1

/**
 * Stores verified chunks of any number of uploads, in one transaction: a chunk counts in its segment's totals exactly when it
 * is newly stored. Answers the outcome of each, in their order. Not `isWaiting`, a chunk whose segment or session another
 * transaction holds is answered `database.unavailable`, and is sent again.
 */
export const storeChunks = async (
  trx: Transaction<Schema>,
  chunks: CheckedChunk[],
  isWaiting: boolean,
): Promise<ChunkOutcome[]> => {
  const sessionIds = [...new Set(chunks.map(({ holder }) => holder.sessionId))]
  const floors = await lockPolicyFloors(trx, sessionIds, isWaiting)
  const segments = await lockSegments(trx, claimsOf(chunks), isWaiting)
  const byClaim = new Map(segments.map((segment) => [claimKey(segment, segment), segment]))
  const outcomes = new Map<CheckedChunk, ChunkOutcome>()
  const accepted: { chunk: CheckedChunk; row: NewChunk }[] = []
  for (const chunk of chunks) {
    const { header, holder } = chunk
    const segment = byClaim.get(claimKey(header, holder))
    const floor = floors.get(holder.sessionId)
    if (!isWaiting && (segment === undefined || floor === undefined)) outcomes.set(chunk, 'database.unavailable')
    else if (segment === undefined) continue
    else if (header.policyRevision < (floor ?? 0)) outcomes.set(chunk, 'policy.stale')
    else accepted.push({ chunk, row: rowOf(chunk, segment) })
  }

  const free = new Map<string, NewChunk>()
  for (const { row } of accepted) {
    const key = keyOf(row)
    if (isOpenTo(row) && !free.has(key)) free.set(key, row)
  }
  const repairs = [...free.values()].filter(({ segment, header }) => segment.isCompared && header.isRepair)
  for (const less of repairs.length > 0 ? await deleteOthers(trx, repairs) : []) await growSegments(trx, [less])
  const stored = free.size > 0 ? await insertChunks(trx, [...free.values()]) : new Set<string>()
  const added = [...free.values()].filter((row) => stored.has(keyOf(row)))
  const summarized = added.filter((row) => row.summary.length > 0)
  if (summarized.length > 0) await insertSummaries(trx, summarized)
  if (added.length > 0) await growSegments(trx, growthOf(added))

  const held: { chunk: CheckedChunk; row: NewChunk }[] = []
  for (const each of accepted) {
    const isNew = stored.has(keyOf(each.row)) && free.get(keyOf(each.row)) === each.row
    if (isNew) outcomes.set(each.chunk, 'stored')
    else held.push(each)
  }
  if (held.length > 0) {
    const hashes = await readStoredHashes(
      trx,
      held.map(({ row }) => row),
    )
    for (const { chunk, row } of held) {
      const known = hashes.get(keyOf(row))
      if (!known) outcomes.set(chunk, 'chunk.not_accepted')
      else outcomes.set(chunk, known.equals(row.header.sha256) ? 'duplicate' : 'chunk.content_mismatch')
    }
  }

  const refused = chunks.filter((chunk) => !outcomes.has(chunk))
  for (const sessionId of new Set(refused.map(({ holder }) => holder.sessionId))) {
    const ofSession = refused.filter(({ holder }) => holder.sessionId === sessionId)
    const ids = [...new Set(ofSession.map((chunk) => chunk.header.captureId))]
    const known = await capturesInSession(trx, ids, sessionId)
    const deleted = await deletedInSession(trx, ids, sessionId)
    for (const chunk of ofSession) {
      const { captureId } = chunk.header
      if (deleted.has(captureId)) outcomes.set(chunk, 'capture.gone')
      else outcomes.set(chunk, known.has(captureId) ? 'chunk.not_accepted' : 'capture.not_found')
    }
  }
  return chunks.map((chunk) => outcomes.get(chunk) ?? 'chunk.not_accepted')
}

/** A proven segment takes nothing more, and one with a manifest only what that has. */
const isOpenTo = ({ segment, header }: NewChunk): boolean =>
  segment.storage !== 'complete' && header.seq < (segment.manifestChunks ?? Infinity)

const refKey = (ref: SegmentRef): string => `${ref.captureId}/${ref.segmentNo}`
/** A segment goes with its holder: of two nodes that name the same one in a group only its own may write to it. */
const claimKey = (ref: SegmentRef, { sessionId, participantId, nodeId }: Holder): string =>
  [refKey(ref), sessionId, participantId, nodeId].join('/')
const keyOf = ({ segment, header }: NewChunk): string => chunkKey(segment.captureId, segment.segmentNo, header.seq)

const claimsOf = (chunks: CheckedChunk[]): SegmentClaim[] => {
  const claims = new Map<string, SegmentClaim>()
  for (const { header, holder } of chunks) {
    const { captureId, segmentNo } = header
    const { nodeId, participantId, sessionId } = holder
    if (segmentNo > LARGEST_SEGMENT_NO) continue
    claims.set(claimKey(header, holder), { captureId, segmentNo, nodeId, participantId, sessionId })
  }
  return [...claims.values()]
}

const rowOf = (chunk: CheckedChunk, segment: NewChunk['segment']): NewChunk => {
  const { header, body, summary } = chunk
  const dialect = dialectCode(header.dialect)
  return { segment, header, dialect, flags: chunkFlags(header), body, summary }
}

const growthOf = (added: NewChunk[]): SegmentGrowth[] => {
  const growths = new Map<string, SegmentGrowth>()
  for (const { segment, header } of added) {
    const key = refKey(segment)
    const { captureId, segmentNo } = segment
    const growth = growths.get(key) ?? emptyGrowth({ captureId, segmentNo })
    growths.set(key, growth)
    growth.bytes += header.rawBytes
    growth.lines += header.lineCount
    growth.chunks += 1
    if (header.firstEventUs >= 0) {
      growth.firstEventUs = Math.min(growth.firstEventUs ?? header.firstEventUs, header.firstEventUs)
    }
    if (header.lastEventUs >= 0) {
      growth.lastEventUs = Math.max(growth.lastEventUs ?? header.lastEventUs, header.lastEventUs)
    }
  }
  return [...growths.values()]
}

const emptyGrowth = (ref: SegmentRef): SegmentGrowth => ({
  ...ref,
  bytes: 0,
  lines: 0,
  chunks: 0,
  firstEventUs: null,
  lastEventUs: null,
})
