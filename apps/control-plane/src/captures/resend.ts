import {
  CAPTURE_LIMITS,
  commandResultSchema,
  seqRangesOf,
  seqsIn,
  type NodeCommandBody,
  type SegmentManifest,
  type SeqRange,
} from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { writeCommand } from './commands.ts'
import type { StoredChunks } from './manifest-store.ts'
import type { SegmentRow } from './store.ts'

type Resend = Extract<NodeCommandBody, { kind: 'segment.resend' }>

/** What is missing, what differs, and once more, in case the store lost something again. */
const MOST_ROUNDS = 3

/** Chunks were asked for again, or it is known for good what is missing. */
export type Asked = { kind: 'asked' } | { kind: 'settled'; missing: SeqRange[] }

/**
 * Asks the node of a locked segment for the chunks that its manifest has and the store has not; where nothing is missing that
 * the node may still hold, for those whose content differs, by their hashes. A round is over when all of it is answered.
 */
export const askAgain = async (
  trx: Transaction<Schema>,
  segment: SegmentRow,
  { manifest, stored }: { manifest: SegmentManifest; stored: StoredChunks },
): Promise<Asked> => {
  const sent = await readResends(trx, segment)
  if (sent.some(({ isAnswered }) => !isAnswered)) return { kind: 'asked' }
  const lost = new Set(sent.flatMap(({ notHeld }) => seqsIn(notHeld)))
  const known = new Set(stored.seqs)
  const holes: number[] = []
  for (let seq = 0; seq < manifest.chunks; seq += 1) if (!known.has(seq)) holes.push(seq)
  const wanted = holes.filter((seq) => !lost.has(seq))
  const isCompared = sent.some(({ body }) => body.stored !== undefined)
  const round = Math.max(-1, ...sent.map(({ body }) => body.round)) + 1
  const canAsk = segment.node_id !== null && round < MOST_ROUNDS
  if (canAsk && wanted.length > 0) await ask(trx, segment, { round, seqs: wanted })
  else if (canAsk && !isCompared && known.size > 0) {
    await ask(trx, segment, { round, seqs: stored.seqs, sha256s: stored.sha256s })
  } else return { kind: 'settled', missing: missingOf(manifest, holes, lost) }
  return { kind: 'asked' }
}

/** A node that knows of a difference and cannot repair it names it; one that does not leaves all of the segment in doubt. */
const missingOf = (manifest: SegmentManifest, holes: readonly number[], lost: ReadonlySet<number>): SeqRange[] => {
  const missing = new Set([...holes, ...lost])
  if (missing.size > 0) return seqRangesOf([...missing].toSorted((a, b) => a - b))
  return manifest.chunks > 0 ? [{ fromSeq: 0, toSeq: manifest.chunks - 1 }] : []
}

const ask = async (
  trx: Transaction<Schema>,
  { capture_id: captureId, segment_no: segmentNo, node_id: nodeId }: SegmentRow,
  wanted: { round: number; seqs: readonly number[]; sha256s?: readonly Buffer[] },
): Promise<void> => {
  const { round, seqs, sha256s } = wanted
  if (nodeId === null) return
  for (let first = 0; first < seqs.length; first += CAPTURE_LIMITS.resendChunks) {
    const next = first + CAPTURE_LIMITS.resendChunks
    await writeCommand(trx, nodeId, {
      kind: 'segment.resend',
      captureId,
      segmentNo,
      round,
      ranges: seqRangesOf(seqs.slice(first, next)),
      ...(sha256s && { stored: sha256s.slice(first, next).map((sha256) => sha256.toString('hex')) }),
    })
  }
}

interface SentResend {
  body: Resend
  isAnswered: boolean
  notHeld: SeqRange[]
}

const readResends = async (trx: Transaction<Schema>, segment: SegmentRow): Promise<SentResend[]> => {
  const rows = await trx
    .selectFrom('node_commands')
    .select(['payload', 'answer', 'answered_at'])
    .where('capture_id', '=', segment.capture_id)
    .where('segment_no', '=', segment.segment_no)
    .where('kind', '=', 'segment.resend')
    .execute()
  return rows.map(({ payload, answer, answered_at }) => {
    const body = payload as Resend
    if (answered_at === null) return { body, isAnswered: false, notHeld: [] }
    const result = commandResultSchema.parse(answer)
    // A node that knows nothing of the segment any more holds nothing of it; of what it only was to compare nothing is said.
    const isAllLost = result.kind !== 'resent' && body.stored === undefined
    return { body, isAnswered: true, notHeld: result.kind === 'resent' ? result.notHeld : isAllLost ? body.ranges : [] }
  })
}
