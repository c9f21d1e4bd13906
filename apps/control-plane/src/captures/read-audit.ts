import { newId, type CaptureRead, type ExportFormat, type ReadKind, type ReadOutcome } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'

/** While a read goes on, its amounts are written this often. */
const AMOUNT_MS = 20_000

export interface ReadRequest {
  sessionId: string
  captureId: string
  participantId: string
  kind: ReadKind
  format?: ExportFormat
  filter: string | null
  segments: number[] | undefined
}

/** The record of a read that goes on. Count up `lines` and `bytes`, say how it ended, and dispose it: then the record is complete. */
export interface OpenRead extends AsyncDisposable {
  lines: number
  bytes: number
  /** @default 'stopped' */
  outcome: ReadOutcome
}

/** Records that somebody reads a capture, before anything is handed over: a read that cannot be recorded is refused with the database's error. */
export const openRead = async (
  { db, clock, log, stopping }: Pick<Resources, 'db' | 'clock' | 'log' | 'stopping'>,
  request: ReadRequest,
): Promise<OpenRead> => {
  const id = newId()
  await db
    .insertInto('capture_reads')
    .values({
      id,
      session_id: request.sessionId,
      capture_id: request.captureId,
      participant_id: request.participantId,
      kind: request.kind,
      format: request.format ?? null,
      filter: request.filter,
      segments: request.segments === undefined ? null : JSON.stringify(request.segments),
    })
    .execute()
  const ended = new AbortController()
  const amount = () => ({ lines: read.lines, bytes: read.bytes })
  let written = 0
  const read: OpenRead = {
    lines: 0,
    bytes: 0,
    outcome: 'stopped',
    async [Symbol.asyncDispose]() {
      ended.abort()
      await db
        .updateTable('capture_reads')
        .set({ ...amount(), outcome: read.outcome, ended_at: sql<Date>`now()` })
        .where('id', '=', id)
        .execute()
        // The read is over, and its reader must not be told otherwise.
        .catch((error: unknown) =>
          log.error({ read: id, ...amount(), err: error }, 'the end of a read is not recorded'),
        )
    },
  }
  void loop({
    name: 'read audit',
    intervalMs: AMOUNT_MS,
    signal: AbortSignal.any([ended.signal, stopping]),
    clock,
    log,
    work: async () => {
      if (read.bytes === written) return
      written = read.bytes
      await db.updateTable('capture_reads').set(amount()).where('id', '=', id).where('ended_at', 'is', null).execute()
    },
  })
  return read
}

export interface ReadPage {
  sessionId: string
  captureId: string | undefined
  limit: number
  cursor: string | undefined
}

/** Newest first. */
export const listReads = async (db: Kysely<Schema>, page: ReadPage): Promise<CaptureRead[]> => {
  let query = db
    .selectFrom('capture_reads as r')
    .innerJoin('participants as p', 'p.id', 'r.participant_id')
    .selectAll('r')
    .select('p.name')
    .where('r.session_id', '=', page.sessionId)
    .orderBy('r.id', 'desc')
    .limit(page.limit)
  if (page.captureId !== undefined) query = query.where('r.capture_id', '=', page.captureId)
  if (page.cursor !== undefined) query = query.where('r.id', '<', page.cursor)
  const rows = await query.execute()
  return rows.map((row) => ({
    id: row.id,
    captureId: row.capture_id,
    participantId: row.participant_id,
    participantName: row.name,
    kind: row.kind,
    format: row.format as ExportFormat | null,
    filter: row.filter,
    segments: row.segments,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    outcome: row.outcome,
    lines: row.lines,
    bytes: row.bytes,
  }))
}
