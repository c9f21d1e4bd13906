import { chunkFlags, dialectCode, type VerifiedChunk } from '@sonde/capture-format/chunk'
import type { ErrorCode } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { lockPolicyFloor } from '../sessions/index.ts'
import { deletedInSession } from './retention-store.ts'
import {
  capturesInSession,
  chunkKey,
  growSegments,
  insertChunks,
  insertSummaries,
  lockSegments,
  readStoredHashes,
  type NewChunk,
  type SegmentGrowth,
  type SegmentRef,
} from './chunk-store.ts'

/** What became of one chunk of an upload. */
export type ChunkOutcome = 'stored' | 'duplicate' | ErrorCode

/** A chunk that has been verified; its lines are not needed any more. */
export type CheckedChunk = Omit<VerifiedChunk, 'lines'>

const LARGEST_SEGMENT_NO = 2 ** 31 - 1

/**
 * Stores the verified chunks of one upload, in one transaction: a chunk counts in its segment's totals exactly when it is
 * newly stored. Answers the outcome of each, in their order.
 */
export const storeChunks = async (
  trx: Transaction<Schema>,
  chunks: CheckedChunk[],
  holder: { nodeId: string; participantId: string; sessionId: string },
): Promise<ChunkOutcome[]> => {
  const floor = await lockPolicyFloor(trx, holder.sessionId)
  const segments = await lockSegments(trx, refsOf(chunks), holder)
  const byRef = new Map(segments.map((segment) => [refKey(segment), segment]))
  const outcomes = new Map<CheckedChunk, ChunkOutcome>()
  const accepted: { chunk: CheckedChunk; row: NewChunk }[] = []
  for (const chunk of chunks) {
    const segment = byRef.get(refKey(chunk.header))
    if (segment && chunk.header.policyRevision < floor) outcomes.set(chunk, 'policy.stale')
    else if (segment) accepted.push({ chunk, row: rowOf(chunk, segment) })
  }

  const free = new Map<string, NewChunk>()
  for (const { row } of accepted) {
    const key = keyOf(row)
    if (isOpenTo(row) && !free.has(key)) free.set(key, row)
  }
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
  if (refused.length > 0) {
    const ids = [...new Set(refused.map((chunk) => chunk.header.captureId))]
    const known = await capturesInSession(trx, ids, holder.sessionId)
    const deleted = await deletedInSession(trx, ids, holder.sessionId)
    for (const chunk of refused) {
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
const keyOf = ({ segment, header }: NewChunk): string => chunkKey(segment.captureId, segment.segmentNo, header.seq)

const refsOf = (chunks: CheckedChunk[]): SegmentRef[] => {
  const refs = new Map<string, SegmentRef>()
  for (const { header } of chunks) if (header.segmentNo <= LARGEST_SEGMENT_NO) refs.set(refKey(header), header)
  return [...refs.values()]
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
