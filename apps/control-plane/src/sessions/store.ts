import type { Member, Role, Session, SessionState } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

type Db = Kysely<Schema> | Transaction<Schema>

/** What decides every call in a session: the caller's active membership and the session's state. */
export interface SessionAccess {
  sessionId: string
  role: Role
  state: SessionState
}

const sessionsOf = (db: Db, participantId: string) =>
  db
    .selectFrom('sessions as s')
    .innerJoin('session_memberships as m', 'm.session_id', 's.id')
    .where('m.participant_id', '=', participantId)
    .where('m.state', '=', 'active')
    .select(['s.id', 's.name', 's.state', 's.min_client_version', 's.created_at', 's.archived_at', 'm.role'])

type SessionRow = Awaited<ReturnType<ReturnType<typeof sessionsOf>['executeTakeFirstOrThrow']>>

const toSession = (row: SessionRow): Session => ({
  id: row.id,
  name: row.name,
  state: row.state,
  minClientVersion: row.min_client_version,
  role: row.role,
  createdAt: row.created_at.toISOString(),
  archivedAt: row.archived_at?.toISOString() ?? null,
})

/** A session with the caller's role; undefined when it does not exist or the caller is no active member. */
export const findSession = async (db: Db, sessionId: string, participantId: string): Promise<Session | undefined> => {
  const row = await sessionsOf(db, participantId).where('s.id', '=', sessionId).executeTakeFirst()
  return row && toSession(row)
}

/** The caller's sessions, newest first; ids are UUIDv7, so their order is the order of creation. */
export const listSessions = async (
  db: Db,
  participantId: string,
  page: { includeArchived: boolean; limit: number; cursor: string | undefined },
): Promise<Session[]> => {
  let query = sessionsOf(db, participantId).orderBy('s.id', 'desc').limit(page.limit)
  if (!page.includeArchived) query = query.where('s.state', 'in', ['provisioning', 'active'])
  if (page.cursor) query = query.where('s.id', '<', page.cursor)
  return (await query.execute()).map(toSession)
}

/** Reads the caller's access; with `lock`, holds session and membership (FOR SHARE, in that order) to the end of the transaction. */
export const readAccess = async (
  db: Db,
  key: { sessionId: string; participantId: string },
  lock: 'none' | 'share' | 'update',
): Promise<SessionAccess | undefined> => {
  let session = db.selectFrom('sessions').select(['id', 'state']).where('id', '=', key.sessionId)
  let membership = db
    .selectFrom('session_memberships')
    .select('role')
    .where('session_id', '=', key.sessionId)
    .where('participant_id', '=', key.participantId)
    .where('state', '=', 'active')
  if (lock === 'share') {
    session = session.forShare()
    membership = membership.forShare()
  } else if (lock === 'update') {
    session = session.forNoKeyUpdate()
    membership = membership.forShare()
  }
  const found = await session.executeTakeFirst()
  const member = found && (await membership.executeTakeFirst())
  return found && member ? { sessionId: found.id, role: member.role, state: found.state } : undefined
}

export const insertSession = async (
  db: Db,
  session: { id: string; name: string; minClientVersion: string | undefined; ownerId: string },
): Promise<void> => {
  await db
    .insertInto('sessions')
    .values({
      id: session.id,
      name: session.name,
      min_client_version: session.minClientVersion ?? null,
      created_by: session.ownerId,
    })
    .execute()
  await upsertMember(db, { sessionId: session.id, participantId: session.ownerId, role: 'owner' })
}

export const insertParticipant = async (db: Db, participant: { id: string; name: string }): Promise<void> => {
  await db.insertInto('participants').values(participant).execute()
}

export const participantExists = async (db: Db, participantId: string): Promise<boolean> =>
  (await db.selectFrom('participants').select('id').where('id', '=', participantId).executeTakeFirst()) !== undefined

/** Adds a member, or makes one active again, in the role given. */
export const upsertMember = async (
  db: Db,
  member: { sessionId: string; participantId: string; role: Role },
): Promise<void> => {
  await db
    .insertInto('session_memberships')
    .values({ session_id: member.sessionId, participant_id: member.participantId, role: member.role })
    .onConflict((conflict) =>
      conflict
        .columns(['session_id', 'participant_id'])
        .doUpdateSet({ role: member.role, state: 'active', updated_at: sql`now()` }),
    )
    .execute()
}

/** Ends a membership; the row stays as its record. False when there was no active one. */
export const revokeMember = async (db: Db, sessionId: string, participantId: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('session_memberships')
    .set({ state: 'revoked', updated_at: sql`now()` })
    .where('session_id', '=', sessionId)
    .where('participant_id', '=', participantId)
    .where('state', '=', 'active')
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Whether the session has an active owner other than the one named. */
export const hasOtherOwner = async (db: Db, sessionId: string, participantId: string): Promise<boolean> => {
  const row = await db
    .selectFrom('session_memberships')
    .select('participant_id')
    .where('session_id', '=', sessionId)
    .where('participant_id', '!=', participantId)
    .where('role', '=', 'owner')
    .where('state', '=', 'active')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export const listMembers = async (db: Db, sessionId: string): Promise<Member[]> => {
  const rows = await db
    .selectFrom('session_memberships as m')
    .innerJoin('participants as p', 'p.id', 'm.participant_id')
    .where('m.session_id', '=', sessionId)
    .select(['m.participant_id', 'p.name', 'm.role', 'm.state', 'm.created_at'])
    .orderBy('m.created_at')
    .orderBy('m.participant_id')
    .execute()
  return rows.map((row) => ({
    participantId: row.participant_id,
    name: row.name,
    role: row.role,
    state: row.state,
    since: row.created_at.toISOString(),
  }))
}

/** Raises the floor; false when it would not rise. The comparison is a row comparison of the generated integer columns. */
export const raiseFloor = async (db: Db, sessionId: string, version: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('sessions')
    .set({ min_client_version: version })
    .where('id', '=', sessionId)
    .where(
      sql<boolean>`(min_client_version is null or (floor_major, floor_minor) <
        (split_part(${version}, '.', 1)::int, split_part(${version}, '.', 2)::int))`,
    )
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

export const archiveSession = async (db: Db, sessionId: string): Promise<void> => {
  await db
    .updateTable('sessions')
    .set({ state: 'archived', archived_at: sql`now()` })
    .where('id', '=', sessionId)
    .where('state', 'in', ['provisioning', 'active'])
    .execute()
}

/**
 * The oldest policy revision of each session whose chunks are taken. Holds the sessions (FOR SHARE), so that no chunk is stored
 * under the old floor once a raised one is committed. A session that another transaction holds is waited for, or left out.
 */
export const lockPolicyFloors = async (
  trx: Transaction<Schema>,
  sessionIds: readonly string[],
  isWaiting: boolean,
): Promise<Map<string, number>> => {
  const rows = await trx
    .selectFrom('sessions')
    .select(['id', 'min_policy_revision'])
    .where('id', 'in', sessionIds)
    .orderBy('id')
    .forShare()
    .$if(!isWaiting, (query) => query.skipLocked())
    .execute()
  return new Map(rows.map((row) => [row.id, row.min_policy_revision]))
}

/** Reads the same without a lock. */
export const readPolicyFloor = async (db: Db, sessionId: string): Promise<number> => {
  const row = await db
    .selectFrom('sessions')
    .select('min_policy_revision')
    .where('id', '=', sessionId)
    .executeTakeFirst()
  return row?.min_policy_revision ?? 0
}

export const raisePolicyFloor = async (
  trx: Transaction<Schema>,
  sessionId: string,
  revision: number,
): Promise<void> => {
  await trx.updateTable('sessions').set({ min_policy_revision: revision }).where('id', '=', sessionId).execute()
}
