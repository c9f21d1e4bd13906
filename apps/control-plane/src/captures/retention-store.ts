import { CAPTURE_LIMITS, SondeError, type RetentionPreview } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { CaptureRow } from './segment-store.ts'
import type { Db } from './store.ts'

type Trx = Transaction<Schema>

/** An expiry waits so long after an export last said that it reads, in seconds. */
const READ_SECONDS = 60
const LISTED = 100

/** When a capture that starts now expires: so many days after its time is over; null is never. */
export const expiryAtStart = (retentionDays: number | null, durationMs: number) =>
  retentionDays === null
    ? null
    : sql<Date>`now() + make_interval(days => ${retentionDays}::int, secs => ${durationMs}::float8 / 1000)`

/** Postpones the expiry of a capture that is being read. False when there is no such capture. */
export const postponeForReading = async (db: Db, captureId: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('captures')
    .set({ read_until: sql<Date>`now() + make_interval(secs => ${READ_SECONDS}::float8)` })
    .where('id', '=', captureId)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** One that has expired meanwhile is kept for as long as the shortest expiry, so that unpinning is no delete. */
export const setPinned = async (db: Db, captureId: string, pinned: boolean): Promise<void> => {
  const soonest = sql<Date>`now() + make_interval(secs => ${CAPTURE_LIMITS.expiryMs.min}::float8 / 1000)`
  await db
    .updateTable('captures')
    .set({
      pinned,
      ...(!pinned && {
        expires_at: sql<Date>`case when pinned and expires_at < ${soonest} then ${soonest} else expires_at end`,
      }),
    })
    .where('id', '=', captureId)
    .execute()
}

export const setExpiry = async (db: Db, captureId: string, afterMs: number | null): Promise<void> => {
  await db
    .updateTable('captures')
    .set({
      expires_at: afterMs === null ? null : sql<Date>`now() + make_interval(secs => ${afterMs}::float8 / 1000)`,
    })
    .where('id', '=', captureId)
    .execute()
}

/** Locks one capture whose expiry has come and that nothing holds; another replica's are passed over. */
export const lockExpired = (trx: Trx): Promise<CaptureRow | undefined> =>
  trx
    .selectFrom('captures')
    .selectAll()
    .where('expires_at', '<=', sql<Date>`now()`)
    .where('pinned', '=', false)
    .where('status', '<>', 'running')
    .where((eb) => eb.or([eb('read_until', 'is', null), eb('read_until', '<=', sql<Date>`now()`)]))
    .orderBy('expires_at')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()

/**
 * Deletes all of a locked, final capture but its chunks, and leaves its tombstone. An upload holds the row of its segment, so
 * it is stored before, or finds no segment; what it stored is purged with the rest.
 */
export const bury = async (
  trx: Trx,
  { id, session_id, partition_day }: CaptureRow,
  why: { reason: 'deleted' | 'expired'; deletedBy: string | null },
): Promise<void> => {
  await trx
    .insertInto('capture_tombstones')
    .values({ capture_id: id, session_id, partition_day, reason: why.reason, deleted_by: why.deletedBy })
    .execute()
  await trx.deleteFrom('node_commands').where('capture_id', '=', id).execute()
  await trx.deleteFrom('capture_segments').where('capture_id', '=', id).execute()
  await trx.deleteFrom('captures').where('id', '=', id).execute()
}

/** Which of these captures of a session were deleted. */
export const deletedInSession = async (db: Db, captureIds: string[], sessionId: string): Promise<Set<string>> => {
  const rows = await db
    .selectFrom('capture_tombstones')
    .select('capture_id')
    .where('capture_id', 'in', captureIds)
    .where('session_id', '=', sessionId)
    .execute()
  return new Set(rows.map((row) => row.capture_id))
}

/** What a node of a session is told of a capture that is not there. */
export const absentCapture = async (db: Db, captureId: string, sessionId: string | null): Promise<SondeError> => {
  const deleted = sessionId === null ? undefined : await deletedInSession(db, [captureId], sessionId)
  return new SondeError(deleted?.has(captureId) ? 'capture.gone' : 'capture.not_found')
}

/** What of a session expires within a time from now, and why it stays if it does. */
export const previewRetention = async (
  db: Kysely<Schema>,
  request: { sessionId: string; withinMs: number },
): Promise<Omit<RetentionPreview, 'defaultDays'>> => {
  const until = sql`now() + make_interval(secs => ${request.withinMs}::float8 / 1000)`
  const { rows } = await sql<{
    until: Date
    totals: RetentionPreview['totals']
    captures: RetentionPreview['captures']
  }>`
    with due as materialized (
      select c.id, c.expires_at as at, s.lines, s.bytes,
        case when c.status = 'running' then 'running' when c.pinned then 'pin' when c.read_until > now() then 'reading' end
          as held_by
      from captures c
      cross join lateral (
        select coalesce(sum(line_count), 0)::int8 as lines, coalesce(sum(byte_count), 0)::int8 as bytes
        from capture_segments where capture_id = c.id
      ) s
      where c.session_id = ${request.sessionId} and c.expires_at <= ${until}
    )
    select ${until} as until,
      (select coalesce(jsonb_agg(to_jsonb(t) order by t."heldBy" nulls first), '[]') from (
        select held_by as "heldBy", count(*) as captures, sum(lines) as lines, sum(bytes) as bytes
        from due group by held_by) t) as totals,
      (select coalesce(jsonb_agg(jsonb_build_object(
          'id', d.id, 'expiresAt', to_char(d.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'heldBy', d.held_by, 'lineCount', d.lines, 'byteCount', d.bytes) order by d.at, d.id), '[]')
        from (select * from due order by at, id limit ${LISTED}) d) as captures`.execute(db)
  const [found] = rows
  if (!found) throw new Error('a select without from answers one row')
  return { until: found.until.toISOString(), totals: found.totals, captures: found.captures }
}
