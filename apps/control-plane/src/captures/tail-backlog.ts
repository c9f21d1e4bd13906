import type { ChunkFact } from './chunk-store.ts'
import type { TailCursor } from './tail-cursor.ts'

/** What is known of the newest chunks of one segment. */
export interface KnownEnd {
  segmentNo: number
  /** The newest first, without holes between them and the newest committed one. */
  facts: ChunkFact[]
  /** Whether these are all of its chunks. */
  isWhole: boolean
}

/** `more`: the plan needs older facts of these segments. `start`: read from `cursor` on and leave out the first `skip` lines. */
export type BacklogPlan = { kind: 'more'; segmentNos: number[] } | { kind: 'start'; cursor: TailCursor; skip: number }

interface Span {
  seq: number
  lineCount: number
  /** Merge times of its first and last line, as far as facts tell. */
  startUs: number
  endUs: number
}

/**
 * Where to start reading so that the last `lines` lines of all segments, in merged order, come out. Reads no more than
 * those and, for each segment, the rest of the chunks that hold them.
 */
export const planBacklog = (ends: KnownEnd[], lines: number): BacklogPlan => {
  const segments = ends.map((end) => ({ end, spans: spansOf(end) }))
  const sinceUs = sinceOf(
    segments.flatMap(({ spans }) => spans),
    lines,
  )
  // An unknown chunk ends at the latest where the oldest known one starts that has a time.
  const oldestUs = (spans: Span[]) => spans.find((span) => span.startUs >= 0)?.startUs
  const short = segments.filter(({ end, spans }) => {
    const knownFromUs = oldestUs(spans)
    return !end.isWhole && (knownFromUs === undefined || knownFromUs > sinceUs)
  })
  if (short.length > 0) return { kind: 'more', segmentNos: short.map(({ end }) => end.segmentNo) }

  const cursor: TailCursor = new Map()
  let total = 0
  for (const { end, spans } of segments) {
    const newest = spans.at(-1)
    if (!newest) continue
    const first = spans.findIndex((span) => span.endUs >= sinceUs)
    const read = first < 0 ? [] : spans.slice(first)
    for (const span of read) total += span.lineCount
    const before = first < 0 ? newest : spans[first - 1]
    cursor.set(end.segmentNo, { seq: read[0]?.seq ?? newest.seq + 1, lineNo: -1, mergeUs: before?.endUs ?? -1 })
  }
  return { kind: 'start', cursor, skip: Math.max(0, total - lines) }
}

/** Oldest first. */
const spansOf = ({ facts }: KnownEnd): Span[] => {
  let mergeUs = -1
  return facts.toReversed().map(({ seq, lineCount, firstEventUs, lastEventUs }) => {
    const startUs = Math.max(mergeUs, firstEventUs)
    mergeUs = Math.max(startUs, lastEventUs)
    return { seq, lineCount, startUs, endUs: mergeUs }
  })
}

/** A merge time with at least `lines` lines at or after it. */
const sinceOf = (spans: Span[], lines: number): number => {
  let sinceUs = Infinity
  let sum = 0
  for (const span of spans.toSorted((a, b) => b.startUs - a.startUs)) {
    if (sum >= lines) return sinceUs
    sum += span.lineCount
    sinceUs = span.startUs
  }
  return sum >= lines ? sinceUs : -Infinity
}
