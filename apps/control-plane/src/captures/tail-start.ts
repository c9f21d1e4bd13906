import type { MergedLine } from '@sonde/capture-format'
import { SondeError, type Capture, type captureTailInput, type Segment } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { z } from 'zod'
import { readFactsBefore, type CaptureRef } from './chunk-store.ts'
import type { StoredLine } from './merged-reader.ts'
import { planBacklog, type KnownEnd } from './tail-backlog.ts'
import { decodeTailCursor, invalidCursor, type TailCursor } from './tail-cursor.ts'

/** Facts of chunks that are read at once. */
const FACT_PAGE = 256

/** Lines that are read only because their chunks hold younger ones: the first `count` of chunks up to `seqs`, by segment. */
export interface OldLines {
  count: number
  seqs: ReadonlyMap<number, number>
}

/** Whether to leave out the next line; counts it off. A line that was committed after the backlog was planned is new, wherever it merges. */
export const isOld = (old: OldLines, { segmentNo, line }: MergedLine<StoredLine>): boolean => {
  if (old.count === 0 || line.seq > (old.seqs.get(segmentNo) ?? -1)) return false
  old.count -= 1
  return true
}

export interface TailStart {
  cursor: TailCursor
  old: OldLines
}
const NONE_OLD: OldLines = { count: 0, seqs: new Map() }

/**
 * Where a tail begins: at its cursor; without one at the first line of a finished capture, or at the backlog of a running
 * one. Throws `request.invalid` for a cursor or a segment that is not of this capture.
 */
export const startTail = async (
  db: Kysely<Schema>,
  ref: CaptureRef,
  { input, capture }: { input: z.infer<typeof captureTailInput>; capture: Capture },
): Promise<TailStart> => {
  const known = new Set(capture.segments.map((segment) => segment.segmentNo))
  const unknown = input.segments?.find((segmentNo) => !known.has(segmentNo))
  if (unknown !== undefined) {
    throw new SondeError('request.invalid', { message: `The capture has no segment ${unknown}.` })
  }
  const text = input.lastEventId ?? input.cursor
  if (text !== undefined) {
    const cursor = decodeTailCursor(text)
    if ([...cursor.keys()].some((segmentNo) => !known.has(segmentNo))) throw invalidCursor()
    return { cursor, old: NONE_OLD }
  }
  if (capture.status !== 'running') return { cursor: new Map(), old: NONE_OLD }
  return backlogOf(db, ref, {
    segmentNos: chosenSegments(capture, input.segments).map(({ segmentNo }) => segmentNo),
    lines: input.backlog,
  })
}

const backlogOf = async (
  db: Kysely<Schema>,
  capture: CaptureRef,
  wanted: { segmentNos: number[]; lines: number },
): Promise<TailStart> => {
  const ends: KnownEnd[] = wanted.segmentNos.map((segmentNo) => ({ segmentNo, facts: [], isWhole: false }))
  for (;;) {
    const plan = planBacklog(ends, wanted.lines)
    if (plan.kind === 'start') {
      const seqs = new Map(ends.map(({ segmentNo, facts }) => [segmentNo, facts[0]?.seq ?? -1]))
      return { cursor: plan.cursor, old: { count: plan.skip, seqs } }
    }
    for (const end of ends.filter(({ segmentNo }) => plan.segmentNos.includes(segmentNo))) {
      const beforeSeq = end.facts.at(-1)?.seq ?? Number.MAX_SAFE_INTEGER
      const at = { ...capture, segmentNo: end.segmentNo }
      const page = await readFactsBefore(db, at, { beforeSeq, limit: FACT_PAGE })
      end.facts.push(...page)
      end.isWhole = page.length < FACT_PAGE
    }
  }
}

/** The segments that a viewer asked for; all when it named none. */
export const chosenSegments = (capture: Capture, segmentNos: number[] | undefined): Segment[] =>
  capture.segments.filter((segment) => segmentNos === undefined || segmentNos.includes(segment.segmentNo))
