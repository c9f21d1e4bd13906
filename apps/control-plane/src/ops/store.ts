import type { OpsChunks, OpsCommands, OpsTransitions } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'

/** More than a day of minutes for seven segments. */
const MOST_MINUTES = 10_000

/** Transitions of a session, newest first. */
export const readTransitions = async (
  db: Kysely<Schema>,
  page: { sessionId: string; nodeId: string | undefined; before: number | undefined; limit: number },
): Promise<OpsTransitions> => {
  const { sessionId, nodeId, before, limit } = page
  const { rows } = await sql<Omit<OpsTransitions['transitions'][number], 'at'> & { at: Date }>`
    select id, at, node_id as "nodeId", axis, from_state as "from", to_state as "to", cause, reason
    from sonde_ops.transitions
    where session_id = ${sessionId}
      ${nodeId === undefined ? sql`` : sql`and node_id = ${nodeId}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc limit ${limit}`.execute(db)
  return { transitions: rows.map((row) => ({ ...row, at: row.at.toISOString() })) }
}

interface CaptureDay {
  captureId: string
  partitionDay: string
}

type ChunkRow = Omit<OpsChunks['chunks'][number], 'firstEventAt' | 'lastEventAt' | 'receivedAt'> & {
  firstEventAt: Date | null
  lastEventAt: Date | null
  receivedAt: Date
}

/** Chunks of a capture, by segment and number. */
export const readChunks = async (
  db: Kysely<Schema>,
  page: CaptureDay & { after: { segmentNo: number; seq: number } | undefined; limit: number },
): Promise<OpsChunks> => {
  const { captureId, partitionDay, after, limit } = page
  const { rows } = await sql<ChunkRow>`
    select segment_no as "segmentNo", seq, node_id as "nodeId", line_count as "lineCount", raw_bytes as "rawBytes",
      stored_bytes as "storedBytes", first_event_at as "firstEventAt", last_event_at as "lastEventAt",
      received_at as "receivedAt", sha256, policy_revision as "policyRevision", origin
    from sonde_ops.chunks
    where partition_day = ${partitionDay} and capture_id = ${captureId}
      ${after === undefined ? sql`` : sql`and (segment_no, seq) > (${after.segmentNo}, ${after.seq})`}
    order by segment_no, seq limit ${limit}`.execute(db)
  return {
    chunks: rows.map((row) => ({
      ...row,
      firstEventAt: row.firstEventAt?.toISOString() ?? null,
      lastEventAt: row.lastEventAt?.toISOString() ?? null,
      receivedAt: row.receivedAt.toISOString(),
    })),
  }
}

/** Lines of a capture by minute and segment. */
export const readCommands = async (
  db: Kysely<Schema>,
  { captureId, partitionDay }: CaptureDay,
): Promise<OpsCommands> => {
  const { rows } = await sql<Omit<OpsCommands['minutes'][number], 'minute'> & { minute: Date }>`
    select segment_no as "segmentNo", minute, line_count as "lineCount", byte_count as "byteCount"
    from sonde_ops.commands_over_time
    where partition_day = ${partitionDay} and capture_id = ${captureId}
    order by minute, segment_no limit ${MOST_MINUTES + 1}`.execute(db)
  const minutes = rows.slice(0, MOST_MINUTES).map((row) => ({ ...row, minute: row.minute.toISOString() }))
  return { minutes, isWhole: rows.length <= MOST_MINUTES }
}
