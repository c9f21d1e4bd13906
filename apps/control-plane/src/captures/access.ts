import { SondeError, type Action, type Role } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely, Transaction } from 'kysely'
import { requireAccess } from '../sessions/index.ts'

export interface CaptureAccess {
  captureId: string
  sessionId: string
  /** The caller's. */
  role: Role
  /** As `YYYY-MM-DD`; the key of the partition that holds the chunks. */
  partitionDay: string
}

/**
 * The check of every call on one capture: throws `capture.not_found`, in the same words, for an unknown capture and for one
 * of a session that the caller is no member of; `auth.role_required`.
 */
export const requireCapture = async (
  db: Kysely<Schema> | Transaction<Schema>,
  request: { captureId: string; participantId: string; action: Action },
): Promise<CaptureAccess> => {
  const row = await db
    .selectFrom('captures')
    .select(['id', 'session_id', 'partition_day'])
    .where('id', '=', request.captureId)
    .executeTakeFirst()
  if (!row) throw new SondeError('capture.not_found')
  const { participantId, action } = request
  const { role } = await requireAccess(db, { sessionId: row.session_id, participantId, action }).catch(
    (error: unknown) => {
      throw error instanceof SondeError && error.code === 'session.not_found'
        ? new SondeError('capture.not_found')
        : error
    },
  )
  return { captureId: row.id, sessionId: row.session_id, role, partitionDay: row.partition_day }
}
