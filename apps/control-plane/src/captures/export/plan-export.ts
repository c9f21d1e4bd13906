import type { Filter } from '@sonde/capture-format/filter'
import { exportQuerySchema, SondeError, type ExportFacts, type ExportFormat } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { readSegmentEnds, type CaptureRef, type SegmentEnd } from '../chunk-store.ts'
import { parseFilterText } from '../selection.ts'
import { findCapture } from '../store.ts'
import { decodeTailCursor, encodeTailCursor, invalidCursor } from '../tail-cursor.ts'
import type { Received } from './continue-bytes.ts'

export interface ExportQuery {
  format: ExportFormat
  segments: number[] | undefined
  filterText: string | null
  filter: Filter | null
  /** Of an export that goes on. */
  resume: (Received & { cursor: string }) | undefined
}

/** Throws what an input that is not valid is refused with. */
export const parseExportQuery = (query: URLSearchParams): ExportQuery => {
  const values = Object.fromEntries(query)
  if (Object.keys(values).length !== query.size) {
    throw new SondeError('request.invalid', { message: 'Each parameter may be given once.' })
  }
  const { format, segments, filter: text, cursor, offset, sha256 } = exportQuerySchema.parse(values)
  const filter = parseFilterText(text ?? '')
  const resume =
    cursor === undefined || offset === undefined || sha256 === undefined ? undefined : { cursor, offset, sha256 }
  return { format, segments, filterText: filter === null ? null : (text ?? '').trim(), filter, resume }
}

export interface ExportPlan {
  /** The segments that have lines, each with where its export ends. */
  ends: SegmentEnd[]
  facts: ExportFacts
}

/**
 * What is exported: what is committed now, or, to go on, what was committed at the begin. Throws `capture.not_found`; `request.invalid` for a
 * segment that there is not and a foreign cursor.
 */
export const planExport = async (db: Kysely<Schema>, ref: CaptureRef, query: ExportQuery): Promise<ExportPlan> => {
  const stored = await readSegmentEnds(db, ref)
  const capture = await findCapture(db, ref.id)
  if (!capture) throw new SondeError('capture.not_found')
  const ends = query.resume === undefined ? chosen(stored, query.segments) : cursorEnds(stored, query.resume.cursor)
  const isChosen = (segmentNo: number) => query.segments?.includes(segmentNo) ?? true
  const segments = capture.segments.filter(({ segmentNo }) => isChosen(segmentNo))
  const gaps = segments.flatMap((segment) => segment.gaps)
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const facts: ExportFacts = {
    captureId: ref.id,
    format: query.format,
    filter: query.filterText,
    segments: query.segments ?? null,
    order: 'merge time, segment, chunk, line',
    status: capture.status,
    policy: { level: capture.policyLevel, revision: capture.policyRevision },
    gaps: {
      count: gaps.length,
      lostLines: gaps.some((gap) => gap.lostLines === null) ? null : sum(gaps.map((gap) => gap.lostLines ?? 0)),
    },
    lines: sum(segments.map((segment) => segment.lineCount)),
    bytes: sum(segments.map((segment) => segment.byteCount)),
    cursor: encodeTailCursor(
      new Map(ends.map(({ segmentNo, lastSeq }) => [segmentNo, { seq: lastSeq ?? 0, lineNo: -1, mergeUs: -1 }])),
    ),
  }
  return { ends, facts }
}

const chosen = (ends: SegmentEnd[], segmentNos: number[] | undefined): SegmentEnd[] => {
  const unknown = segmentNos?.find((segmentNo) => !ends.some((end) => end.segmentNo === segmentNo))
  if (unknown !== undefined) {
    throw new SondeError('request.invalid', { message: `The capture has no segment ${unknown}.` })
  }
  return ends.filter(({ segmentNo, lastSeq }) => lastSeq !== null && (segmentNos?.includes(segmentNo) ?? true))
}

const cursorEnds = (stored: SegmentEnd[], text: string): SegmentEnd[] => {
  const cursor = decodeTailCursor(text)
  const bySegment = new Map(stored.map((end) => [end.segmentNo, end]))
  return Array.from(cursor, ([segmentNo, { seq }]) => {
    const end = bySegment.get(segmentNo)
    if (!end) throw invalidCursor()
    return { ...end, lastSeq: seq }
  })
}
