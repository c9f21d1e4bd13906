import { ALLOWED, mayDo, SondeError, type Action, type SessionState } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely, Transaction } from 'kysely'
import { readAccess, type SessionAccess } from './store.ts'

const LIVE: readonly SessionState[] = ['provisioning', 'active']

export interface AccessRequest {
  sessionId: string
  participantId: string
  action: Action
  /** Refuse a session that no longer takes work. */
  live?: boolean
  /** `share` holds session and membership to the end of the transaction; `update` is for who changes the session. @default none */
  lock?: 'none' | 'share' | 'update'
}

/**
 * The one check of every call in a session. Throws `session.not_found` for an unknown session and for one that the caller
 * is no member of, in the same words; `auth.role_required` when the role is too low; `session.not_active`.
 */
export const requireAccess = async (
  db: Kysely<Schema> | Transaction<Schema>,
  request: AccessRequest,
): Promise<SessionAccess> => {
  const access = await readAccess(db, request, request.lock ?? 'none')
  if (!access) throw new SondeError('session.not_found')
  if (!mayDo(access.role, request.action)) {
    throw new SondeError('auth.role_required', { details: { required: ALLOWED[request.action] } })
  }
  if (request.live && !LIVE.includes(access.state)) {
    throw new SondeError('session.not_active', { details: { sessionId: access.sessionId, state: access.state } })
  }
  return access
}
