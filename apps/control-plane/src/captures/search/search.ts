import type { Filter } from '@sonde/capture-format/filter'
import { SondeError, type CaptureSearch, type Clock, type SearchCounts, type SearchFacets } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { CaptureRef } from '../chunk-store.ts'
import { findCandidates, type Candidate } from './candidates.ts'
import type { ChunkMatches, FoundRow } from './chunk-scanner.ts'
import { facetOf, type FacetTallies } from './facet-counts.ts'
import { comparePositions, type Position } from './position.ts'
import { ScanJob } from './scan-pool.ts'
import { scanInOrder } from './scan-in-order.ts'
import { decodeSearchCursor, encodeSearchCursor, START, type SegmentSpan } from './search-cursor.ts'
import { readSearchSegments } from './search-store.ts'

export interface SearchRequest {
  db: Kysely<Schema>
  clock: Clock
  /** In the order of their ids; the caller may see all of them. */
  captures: CaptureRef[]
  filterText: string
  filter: Filter | null
  limit: number
  cursor: string | undefined
  counts: SearchCounts
  plan: boolean
  deadlineMs: number
  signal: AbortSignal
}

/** One page of a search. Throws `request.invalid` for a foreign cursor, `capture.not_found` when a capture vanishes meanwhile. */
export const search = async (request: SearchRequest): Promise<CaptureSearch> => {
  const { clock, captures, filterText, limit } = request
  const startedMs = clock.monotonicMs()
  const question = { ids: captures.map(({ id }) => id), filter: filterText }
  const cursor = request.cursor === undefined ? null : decodeSearchCursor(question, request.cursor)
  const counts = cursor ? 'none' : request.counts
  const after = cursor?.after ?? START
  const { chunks, seen, segments, incomplete } = await lookAt(request, cursor?.segments ?? null)
  const page = new Page(after, limit)
  const tally = new Tally()
  const job = new ScanJob({ filter: filterText, countsFacets: counts === 'facets' })
  const scan = scanInOrder(request, {
    chunks: counts === 'none' ? chunks.filter((chunk) => !isBefore(chunk, after)) : chunks,
    job,
    wantedOf: (chunk) => page.wantedOf(chunk),
    needsLines: (chunk) => !chunk.isWholly || counts === 'facets',
    isEnough: () => counts === 'none' && page.isFull,
    isPast: (chunk) => page.isPast(chunk),
    isLate: () => clock.monotonicMs() - startedMs >= request.deadlineMs,
    take: (chunk, matches) => {
      tally.add(chunk, matches)
      page.add(matches?.rows ?? [])
    },
  })
  await scan.catch(() => undefined)
  // In any case: the threads keep what they know of a job until it ends.
  const [reached, facets] = await Promise.all([scan, job.end()])
  const { rows, next } = limit === 0 ? { rows: [], next: null } : page.end(reached)
  const isWhole = reached === null
  return {
    rows: rows.map((row) => shown(row, captures)),
    nextCursor: next && encodeSearchCursor(question, { after: next, segments }),
    total: counts === 'none' ? null : { lines: tally.lines, estimated: !isWhole },
    facets: counts === 'facets' ? facetsOf(facets, tally, captures) : null,
    incomplete,
    plan: request.plan
      ? { chunks: seen, skipped: seen - chunks.length, ...tally.plan, ms: Math.round(clock.monotonicMs() - startedMs) }
      : null,
  }
}

const lookAt = async ({ db, captures, filter, signal }: SearchRequest, spans: SegmentSpan[] | null) => {
  const chunks: Candidate[] = []
  const segments: SegmentSpan[] = []
  const incomplete: CaptureSearch['incomplete'] = []
  let seen = 0
  for (const [captureNo, capture] of captures.entries()) {
    const all = await readSearchSegments(db, capture.id)
    if (all.length === 0) throw new SondeError('capture.not_found')
    for (const { segmentNo, storage, missing } of all) {
      if (storage !== 'complete') incomplete.push({ captureId: capture.id, segmentNo, storage, missing })
    }
    const found = await findCandidates(db, { capture, captureNo, segments: all, filter, spans, signal })
    for (const chunk of found.chunks) chunks.push(chunk)
    segments.push(...found.segments)
    seen += found.seen
  }
  return { chunks: chunks.toSorted(comparePositions), seen, segments: spans ?? segments, incomplete }
}

/** No row of the chunk lies behind the position. */
const isBefore = (chunk: Candidate, after: Position): boolean =>
  comparePositions({ ...chunk, mergeUs: chunk.lastUs, lineNo: Infinity }, after) <= 0

/** The first rows behind a position, of chunks that come in any order. */
class Page {
  readonly #after: Position
  readonly #limit: number
  #rows: FoundRow[] = []

  constructor(after: Position, limit: number) {
    this.#after = after
    this.#limit = limit
  }

  /** There is one row more than fits, so that it is known that a page follows. */
  get isFull(): boolean {
    return this.#rows.length > this.#limit
  }

  /** Whether no row of this chunk, nor of those behind it, can be of the page. */
  isPast(chunk: Candidate): boolean {
    return this.isFull && comparePositions(chunk, this.#rows.at(-1)!) > 0
  }

  wantedOf(chunk: Candidate): { after: Position | null; wanted: number } {
    const isAll = this.#after === START || comparePositions(chunk, this.#after) > 0
    const isNone = this.#limit === 0 || this.isPast(chunk) || isBefore(chunk, this.#after)
    const wanted = isNone ? 0 : this.#limit + 1
    return { after: isAll ? null : this.#after, wanted }
  }

  add(rows: FoundRow[]): void {
    if (rows.length === 0) return
    this.#rows = [...this.#rows, ...rows].toSorted(comparePositions).slice(0, this.#limit + 1)
  }

  /** The rows, and where the next page begins; with `reached` nothing is known from that chunk on. */
  end(reached: Position | null): { rows: FoundRow[]; next: Position | null } {
    const known = reached ? this.#rows.filter((row) => comparePositions(row, reached) < 0) : this.#rows
    const rows = known.slice(0, this.#limit)
    return { rows, next: known.length > this.#limit ? rows.at(-1)! : reached }
  }
}

/** Lines that matched, and what it took to find them. */
class Tally {
  lines = 0
  readonly ofSegment = new Map<string, { captureNo: number; segmentNo: number; lines: number }>()
  readonly plan = { counted: 0, scanned: 0, scannedLines: 0, scannedBytes: 0 }

  add(chunk: Candidate, matches: ChunkMatches | null): void {
    const { captureNo, segmentNo, lineCount, rawBytes } = chunk
    const count = matches?.count ?? lineCount
    this.lines += count
    if (matches) {
      this.plan.scanned += 1
      this.plan.scannedLines += lineCount
      this.plan.scannedBytes += rawBytes
    } else this.plan.counted += 1
    if (count === 0) return
    const key = `${captureNo}/${segmentNo}`
    const segment = this.ofSegment.get(key) ?? { captureNo, segmentNo, lines: 0 }
    segment.lines += count
    this.ofSegment.set(key, segment)
  }
}

const facetsOf = (tallies: FacetTallies, { ofSegment }: Tally, captures: CaptureRef[]): SearchFacets => ({
  verb: facetOf(tallies.verb),
  keyPrefix: facetOf(tallies.keyPrefix),
  client: facetOf(tallies.client),
  segment: [...ofSegment.values()]
    .map(({ captureNo, segmentNo, lines }) => ({ captureId: captures[captureNo]!.id, segmentNo, lines }))
    .toSorted((a, b) => b.lines - a.lines),
})

const shown = (row: FoundRow, captures: CaptureRef[]): CaptureSearch['rows'][number] => {
  const { captureNo, segmentNo, seq, lineNo, eventUs, mergeUs, line, isCut } = row
  const captureId = captures[captureNo]!.id
  return { captureId, segmentNo, seq, lineNo, eventUs, mergeUs, line, ...(isCut && { cut: true as const }) }
}
