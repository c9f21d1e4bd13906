import { decodeSummary, judgeSummary, mayMatchSegment, timeRangeOf, Verdict } from '@sonde/capture-format/summary'
import type { Filter } from '@sonde/capture-format/filter'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { CaptureRef } from '../chunk-store.ts'
import type { Position } from './position.ts'
import type { SegmentSpan } from './search-cursor.ts'
import { readSearchFacts, type SearchFact, type SearchSegment } from './search-store.ts'

/** A chunk that may have lines that match. */
export interface Candidate extends Position {
  capture: CaptureRef
  lineCount: number
  rawBytes: number
  /** No line of it merges later, nor earlier than its `mergeUs`. */
  lastUs: number
  /** Its summary is certain that every line matches. */
  isWholly: boolean
}

export interface Candidates {
  /** In the order of the search. */
  chunks: Candidate[]
  /** Of all chunks of the captures. */
  seen: number
  /** Everything that was looked at, so that a later page looks at the same. */
  segments: SegmentSpan[]
}

export interface CandidateRequest {
  capture: CaptureRef
  captureNo: number
  segments: SearchSegment[]
  filter: Filter | null
  /** Of the first page: only these chunks. */
  spans: SegmentSpan[] | null
  signal: AbortSignal
}

const BATCH = 512

/** Looks at the facts and summaries of a capture's chunks; memory grows with the chunks that are left. */
export const findCandidates = async (db: Kysely<Schema>, request: CandidateRequest): Promise<Candidates> => {
  const { capture, filter, signal } = request
  const readers = readersOf(request)
  const segmentNos = [...readers.keys()]
  const timeRange = filter && timeRangeOf(filter)
  let seen = 0
  const chunks: Candidate[] = []
  let after = { segmentNo: -1, seq: -1 }
  while (segmentNos.length > 0) {
    signal.throwIfAborted()
    const facts = await readSearchFacts(db, capture, { segmentNos, after, limit: BATCH, timeRange })
    for (const fact of facts) {
      const reader = readers.get(fact.segmentNo)
      if (!reader?.takes(fact.seq)) continue
      seen += 1
      const candidate = candidateOf(fact, reader.beforeUs, request)
      reader.beforeUs = Math.max(reader.beforeUs, fact.lastEventUs)
      if (candidate) chunks.push(candidate)
    }
    const last = facts.at(-1)
    if (!last || facts.length < BATCH) break
    after = { segmentNo: last.segmentNo, seq: last.seq }
  }
  const segments = [...readers.values()].flatMap((reader) => (reader.span.spans.length > 0 ? [reader.span] : []))
  return { chunks, seen, segments }
}

const candidateOf = (
  fact: SearchFact,
  beforeUs: number,
  { capture, captureNo, filter }: CandidateRequest,
): Candidate | null => {
  const { segmentNo, seq, lineCount, rawBytes, lastEventUs } = fact
  const verdict = fact.isOutside ? Verdict.none : verdictOf(fact, filter)
  if (verdict === Verdict.none) return null
  return {
    capture,
    captureNo,
    segmentNo,
    seq,
    lineNo: -1,
    lineCount,
    rawBytes,
    mergeUs: beforeUs,
    lastUs: Math.max(beforeUs, lastEventUs),
    isWholly: verdict === Verdict.all,
  }
}

/** A summary that cannot be read tells nothing: then the lines are read. */
const verdictOf = ({ segmentNo, summary }: SearchFact, filter: Filter | null): Verdict => {
  if (filter === null) return Verdict.all
  if (summary === null) return Verdict.some
  try {
    const known = decodeSummary(summary)
    return known ? judgeSummary(known, filter, { segmentNo }) : Verdict.some
  } catch {
    return Verdict.some
  }
}

/** Goes over the chunks of one segment in their order. */
class SegmentReader {
  readonly span: SegmentSpan
  /** Merge time so far. */
  beforeUs = -1
  readonly #segment: SearchSegment
  readonly #known: SegmentSpan['spans'] | null
  #isClosed = false

  constructor(segment: SearchSegment, captureNo: number, known: SegmentSpan['spans'] | null) {
    this.span = { captureNo, segmentNo: segment.segmentNo, spans: [] }
    this.#segment = segment
    this.#known = known
  }

  /**
   * Whether the next chunk is of the search. Of a segment that still grows not what lies behind a hole: that may be filled before
   * the next page, with lines that belong before it.
   */
  takes(seq: number): boolean {
    if (this.#known)
      return this.#keep(
        seq,
        this.#known.some(([from, to]) => seq >= from && seq <= to),
      )
    const { storage, manifestChunks } = this.#segment
    const last = this.span.spans.at(-1)
    const isHole = seq !== (last ? last[1] + 1 : 0)
    if (isHole && (storage === 'open' || storage === 'reconciling')) this.#isClosed = true
    return this.#keep(seq, !this.#isClosed && seq < (manifestChunks ?? Infinity))
  }

  #keep(seq: number, isTaken: boolean): boolean {
    if (!isTaken) return false
    const last = this.span.spans.at(-1)
    if (last && last[1] + 1 === seq) last[1] = seq
    else this.span.spans.push([seq, seq])
    return true
  }
}

const readersOf = ({ captureNo, segments, filter, spans }: CandidateRequest): Map<number, SegmentReader> => {
  const readers = new Map<number, SegmentReader>()
  for (const segment of segments) {
    const { segmentNo } = segment
    if (filter !== null && !mayMatchSegment(filter, segmentNo)) continue
    const known = spans && spans.find((span) => span.captureNo === captureNo && span.segmentNo === segmentNo)
    if (known === undefined) continue
    readers.set(segmentNo, new SegmentReader(segment, captureNo, known && known.spans))
  }
  return readers
}
