import type { SegmentManifest, SeqRange, Slice } from '@sonde/contracts'
import type { Captures, Schema } from '@sonde/database'
import { sql, type Selectable, type Transaction } from 'kysely'
import { remaining, type Amount, type Share } from './budget.ts'
import { isLive, nextSegmentStatus, type SegmentEvent } from './lifecycle.ts'
import type { Db, SegmentRow } from './store.ts'

type Trx = Transaction<Schema>
export type CaptureRow = Selectable<Captures>

/** A capture and its segments, all locked, by what the database's clock says now. */
export interface LockedCapture {
  capture: CaptureRow
  segments: SegmentRow[]
  now: Date
}

/**
 * Locks a capture, then its segments in their order: the one order in which anything takes these rows, uploads included, so
 * that no two of them wait for each other. Undefined when there is no such capture.
 */
export const lockCapture = (trx: Trx, captureId: string): Promise<LockedCapture | undefined> =>
  readCapture(trx, captureId, true)

/** The same without locks, so that it may be out of date: to see whether there is reason to lock. */
export const peekCapture = (db: Db, captureId: string): Promise<LockedCapture | undefined> =>
  readCapture(db, captureId, false)

const readCapture = async (db: Db, captureId: string, isLocked: boolean): Promise<LockedCapture | undefined> => {
  const capture = await db
    .selectFrom('captures')
    .selectAll()
    .where('id', '=', captureId)
    .$if(isLocked, (query) => query.forNoKeyUpdate())
    .executeTakeFirst()
  if (!capture) return undefined
  const segments = await db
    .selectFrom('capture_segments')
    .selectAll()
    .where('capture_id', '=', captureId)
    .orderBy('segment_no')
    .$if(isLocked, (query) => query.forNoKeyUpdate())
    .execute()
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db)
  return { capture, segments, now: rows[0]!.now }
}

export interface SegmentChange {
  event: SegmentEvent
  outcome?: SegmentRow['outcome']
  reason?: string | null
  detail?: string | null
  storage?: SegmentRow['storage']
  set?: {
    manifest?: string
    missing?: string
    server_version?: string | null
    scanner_dialect?: string
    redaction_key?: string | null
  }
}

/**
 * Applies an event to a locked segment, in the database and in the row given. False when the event cannot happen in the
 * segment's status: nothing is changed then, since a final state stays as it is.
 */
export const changeSegment = async (trx: Trx, segment: SegmentRow, change: SegmentChange): Promise<boolean> => {
  const outcome = change.outcome ?? segment.outcome
  const status = nextSegmentStatus(segment.status, change.event, outcome)
  if (status === null) return false
  const ended = !isLive(status)
  const row = await trx
    .updateTable('capture_segments')
    .set({
      status,
      outcome,
      ...(change.reason !== undefined && { termination_reason: change.reason }),
      ...(change.detail !== undefined && { termination_detail: change.detail }),
      ...(change.storage !== undefined && { storage: change.storage }),
      ...(change.event === 'begun' && { begun_at: sql<Date>`clock_timestamp()` }),
      ...(ended && { ended_at: sql<Date>`clock_timestamp()` }),
      ...change.set,
    })
    .where('capture_id', '=', segment.capture_id)
    .where('segment_no', '=', segment.segment_no)
    .returningAll()
    .executeTakeFirstOrThrow()
  Object.assign(segment, row)
  return true
}

/** What was missing of a locked, final segment has come since: all that its daemon cut is stored. */
export const completeByRepair = async (trx: Trx, segment: SegmentRow, manifest: SegmentManifest): Promise<void> => {
  const row = await trx
    .updateTable('capture_segments')
    .set({ storage: 'complete', manifest: JSON.stringify(manifest), missing: JSON.stringify([]) })
    .where('capture_id', '=', segment.capture_id)
    .where('segment_no', '=', segment.segment_no)
    .returningAll()
    .executeTakeFirstOrThrow()
  Object.assign(segment, row)
}

/** Names what of a locked segment's manifest is not stored as its daemon cut it. */
export const recordMissing = async (
  trx: Trx,
  segment: SegmentRow,
  { manifest, missing }: { manifest: SegmentManifest; missing: SeqRange[] },
): Promise<void> => {
  const row = await trx
    .updateTable('capture_segments')
    .set({ manifest: JSON.stringify(manifest), missing: JSON.stringify(missing) })
    .where('capture_id', '=', segment.capture_id)
    .where('segment_no', '=', segment.segment_no)
    .returningAll()
    .executeTakeFirstOrThrow()
  Object.assign(segment, row)
}

/** Records a granted slice on a locked segment. */
export const grantSlice = async (trx: Trx, segment: SegmentRow, slice: Slice): Promise<void> => {
  const row = await trx
    .updateTable('capture_segments')
    .set({
      slice_no: slice.sliceNo,
      granted_bytes: segment.granted_bytes + slice.bytes,
      granted_lines: segment.granted_lines + slice.lines,
      last_bytes: slice.lastBytes,
      last_lines: slice.lastLines,
    })
    .where('capture_id', '=', segment.capture_id)
    .where('segment_no', '=', segment.segment_no)
    .returningAll()
    .executeTakeFirstOrThrow()
  Object.assign(segment, row)
}

/** What of the caps of a locked capture no segment holds. */
export const remainingOf = ({ capture, segments }: LockedCapture): Amount =>
  remaining(
    { bytes: capture.byte_cap, lines: capture.line_cap },
    segments.map((segment): Share => ({
      live: isLive(segment.status) && segment.status !== 'closing',
      grantedBytes: segment.granted_bytes,
      grantedLines: segment.granted_lines,
      usedBytes: segment.recorded_bytes,
      usedLines: segment.recorded,
    })),
  )
