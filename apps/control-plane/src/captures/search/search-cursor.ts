import { createHash } from 'node:crypto'
import { CAPTURE_LIMITS, SondeError } from '@sonde/contracts'
import { z } from 'zod'
import type { Position } from './position.ts'

/** Chunks that a search reads of one segment: from a seq to another, both inclusive, in turn. */
export interface SegmentSpan {
  captureNo: number
  segmentNo: number
  spans: [fromSeq: number, toSeq: number][]
}

/** Where a search goes on, and in what: chunks that came after its first page are of the next search. */
export interface SearchCursor {
  after: Position
  segments: SegmentSpan[]
}

const VERSION = 1
const MOST_CHARACTERS = 65_536
const no = z.int().min(0)
/** -1 is before the first. */
const from = z.int().min(-1)
const seq = no.max(CAPTURE_LIMITS.segmentChunks)
const cursorSchema = z.tuple([
  z.literal(VERSION),
  z.string(),
  z.tuple([from, from, from, from, from]),
  z.array(z.tuple([no, no, z.array(z.tuple([seq, seq]))])),
])

/** What a cursor belongs to: these captures in this order, and this filter. */
export interface SearchQuestion {
  ids: readonly string[]
  filter: string
}

const questionHash = ({ ids, filter }: SearchQuestion): string =>
  createHash('sha256')
    .update(JSON.stringify([ids, filter]))
    .digest('base64url')
    .slice(0, 22)

/** A cursor as text, never longer than the input takes; throws `request.invalid` when the captures have too many segments for that. */
export const encodeSearchCursor = (question: SearchQuestion, { after, segments }: SearchCursor): string => {
  const { mergeUs, captureNo, segmentNo, seq: chunk, lineNo } = after
  const text = JSON.stringify([
    VERSION,
    questionHash(question),
    [mergeUs, captureNo, segmentNo, chunk, lineNo],
    segments.map((each) => [each.captureNo, each.segmentNo, each.spans]),
  ] satisfies z.infer<typeof cursorSchema>)
  const encoded = Buffer.from(text).toString('base64url')
  if (encoded.length <= MOST_CHARACTERS) return encoded
  throw new SondeError('request.invalid', {
    message:
      'These captures have too many segments, or too many gaps, to be paged through together. Search fewer captures at once.',
    details: { issues: [{ path: 'ids', message: 'name fewer captures' }] },
  })
}

/** Reads what {@link encodeSearchCursor} wrote for the same question; anything else throws `request.invalid`. */
export const decodeSearchCursor = (question: SearchQuestion, text: string): SearchCursor => {
  const parsed = cursorSchema.safeParse(jsonOf(text))
  if (!parsed.success || parsed.data[1] !== questionHash(question)) throw invalidCursor()
  const [, , [mergeUs, captureNo, segmentNo, chunk, lineNo], segments] = parsed.data
  return {
    after: { mergeUs, captureNo, segmentNo, seq: chunk, lineNo },
    segments: segments.map(([ofCapture, ofSegment, spans]) => ({ captureNo: ofCapture, segmentNo: ofSegment, spans })),
  }
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}

const invalidCursor = (): SondeError =>
  new SondeError('request.invalid', {
    message: 'The cursor is not one of this search. Start again without a cursor.',
    details: { issues: [{ path: 'cursor', message: 'is not a cursor of these captures and this filter' }] },
  })

/** Before every row. */
export const START: Position = { mergeUs: -1, captureNo: -1, segmentNo: -1, seq: -1, lineNo: -1 }
