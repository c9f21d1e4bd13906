import type { MergedLine } from '@sonde/capture-format'
import {
  LIVE_SEGMENT_STATUSES,
  SondeError,
  type Capture,
  type captureTailInput,
  type Segment,
  type TailEvent,
  type TailRow,
} from '@sonde/contracts'
import { tracked, type TrackedEnvelope } from '@trpc/server'
import type { z } from 'zod'
import { pause } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import { findCaptureRef } from './chunk-store.ts'
import { rowMatcher } from './current-line.ts'
import { MergedReader, type StoredLine } from './merged-reader.ts'
import type { OpenRead } from './read-audit.ts'
import { parseFilterText } from './selection.ts'
import { findCapture } from './store.ts'
import { encodeTailCursor } from './tail-cursor.ts'
import { chosenSegments, isOld, startTail } from './tail-start.ts'

export interface TailOptions {
  resources: Pick<Resources, 'db' | 'clock' | 'events' | 'metrics'>
  /** The caller has checked that the viewer may see it. */
  capture: { id: string }
  input: z.infer<typeof captureTailInput>
  /** Counts what is handed over, and is told how it ended. */
  read?: Pick<OpenRead, 'lines' | 'bytes' | 'outcome'>
  /** Bytes that the viewer's socket has not sent yet. */
  unsentBytes: () => number
  /** Aborts when the viewer is gone. */
  signal: AbortSignal
}

const BATCH_ROWS = 512
const BATCH_BYTES = 64 * 1024
/** A viewer with more than this unsent is waited for. */
const UNSENT_BYTES = 2 ** 20
const UNSENT_PAUSE_MS = 20
/** Wake-ups are hints, so a lost one costs this long. */
const POLL_MS = 1_000
/** From one look at the database to the next: many segments commit many times a second. */
const LOOK_MS = 100
/** Between two messages about one segment, and between two looks while a viewer catches up. */
const SEGMENT_MS = 1_000

/**
 * The committed lines of a capture, merged over its segments, from the input's cursor on; without one from the first line of
 * a finished capture, or from the last `backlog` lines of a running one; of these what matches the filter. Ends with `history_complete` or `capture_ended`. Each
 * message is tracked by the cursor after it. Throws `request.invalid` for a foreign cursor or segment and a filter that cannot be read, `capture.not_found`
 * when the capture is gone.
 */
export async function* tail(options: TailOptions): AsyncGenerator<TrackedEnvelope<TailEvent>> {
  const { resources, input, read, unsentBytes, signal } = options
  const { clock, db, events, metrics } = resources
  using watch = events.watch('captures', options.capture.id)
  metrics.tailViewers.inc()
  try {
    const ref = await findCaptureRef(db, options.capture.id)
    if (!ref) throw new SondeError('capture.not_found')
    let capture = await current(options)
    const endKind = capture.status === 'running' ? 'capture_ended' : 'history_complete'
    const { cursor, old } = await startTail(db, ref, { input, capture })
    const reader = new MergedReader(db, ref)
    const announce = createSegmentNews()
    const message = (event: TailEvent) => tracked(encodeTailCursor(cursor), event)
    const filter = parseFilterText(input.filter ?? '')
    const isWanted = filter === null ? () => true : rowMatcher(filter)
    let toldAt = clock.monotonicMs()

    while (!signal.aborted) {
      const segments = chosenSegments(capture, input.segments)
      for (const segment of segments) {
        reader.open(segment.segmentNo, cursor.get(segment.segmentNo))
        const isFinal = !LIVE_SEGMENT_STATUSES.some((status) => status === segment.status)
        reader.update(segment.segmentNo, { chunkCount: segment.chunkCount, isFinal })
      }
      if (endKind === 'capture_ended') {
        for (const segment of announce(segments, clock.monotonicMs())) yield message({ kind: 'segment', segment })
      }
      let isCaughtUp = false
      const until = clock.monotonicMs() + SEGMENT_MS
      while (!signal.aborted && clock.monotonicMs() < until) {
        const horizonUs = (clock.now() - input.reorderMs) * 1000
        const taken = await reader.next(BATCH_ROWS, horizonUs)
        isCaughtUp = taken.length === 0
        if (isCaughtUp) break
        for (const batch of batches(taken)) {
          while (unsentBytes() > UNSENT_BYTES && !signal.aborted) await pause(clock, UNSENT_PAUSE_MS, signal)
          for (const { segmentNo, mergeUs, line } of batch) {
            cursor.set(segmentNo, { seq: line.seq, lineNo: line.lineNo, mergeUs })
          }
          const rows = batch.filter((row) => !isOld(old, row) && isWanted(row)).map(rowOf)
          // Without a line that matches the cursor is told all the same, so that a tail that goes on need not look at all again.
          if (rows.length === 0 && clock.monotonicMs() - toldAt < SEGMENT_MS) continue
          toldAt = clock.monotonicMs()
          if (read) count(read, rows)
          yield message({ kind: 'lines', cursor: encodeTailCursor(cursor), rows })
        }
      }
      if (isCaughtUp && capture.status !== 'running') {
        // Read once more: a capture that is deleted meanwhile has no end to be told of.
        const ended = await current(options)
        if (read) read.outcome = 'complete'
        yield message({ kind: endKind, capture: ended })
        return
      }
      if (isCaughtUp) {
        if (!reader.isHolding) await watch.wait(POLL_MS, signal)
        await pause(clock, LOOK_MS, signal)
      }
      if (!signal.aborted) capture = await current(options)
    }
  } finally {
    metrics.tailViewers.dec()
  }
}

const count = (read: { lines: number; bytes: number }, rows: TailRow[]): void => {
  read.lines += rows.length
  for (const { line } of rows) read.bytes += line.length
}

const current = async ({ resources, capture }: TailOptions): Promise<Capture> => {
  const found = await findCapture(resources.db, capture.id)
  if (!found) throw new SondeError('capture.not_found')
  return found
}

/** Which segments changed since they were last told of; each at most once in {@link SEGMENT_MS}. */
const createSegmentNews = () => {
  const told = new Map<number, { text: string; at: number }>()
  return (segments: Segment[], now: number): Segment[] =>
    segments.filter((segment) => {
      const before = told.get(segment.segmentNo)
      const text = JSON.stringify(segment)
      if (before && (before.text === text || now - before.at < SEGMENT_MS)) return false
      told.set(segment.segmentNo, { text, at: now })
      return true
    })
}

/** Rows in messages of at most {@link BATCH_BYTES} of lines; a longer line is one of its own. */
function* batches(rows: MergedLine<StoredLine>[]): Generator<MergedLine<StoredLine>[]> {
  let batch: MergedLine<StoredLine>[] = []
  let bytes = 0
  for (const row of rows) {
    const size = row.line.end - row.line.start
    if (batch.length > 0 && bytes + size > BATCH_BYTES) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(row)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

const rowOf = ({ segmentNo, line }: MergedLine<StoredLine>): TailRow => ({
  segmentNo,
  seq: line.seq,
  lineNo: line.lineNo,
  eventUs: line.eventUs,
  line: line.lines.toString('latin1', line.start, line.end),
  ...(line.isCut && { cut: true }),
})
