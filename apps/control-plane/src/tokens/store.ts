import type { Token, TokenKind } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

type Db = Kysely<Schema> | Transaction<Schema>

/** Stores the hash of a token; answers when it expires, by the database's clock. */
export const insertToken = async (
  db: Db,
  token: {
    id: string
    kind: TokenKind
    sha256: Buffer
    name: string
    participantId: string
    sessionId: string | null
    ttlMs: number
  },
): Promise<Date> => {
  const row = await db
    .insertInto('tokens')
    .values({
      id: token.id,
      kind: token.kind,
      sha256: token.sha256,
      name: token.name,
      participant_id: token.participantId,
      session_id: token.sessionId,
      expires_at: sql<Date>`now() + ${token.ttlMs} * interval '1 millisecond'`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return row.expires_at
}

/** Tokens that were made in a session, newest first; ids are UUIDv7. */
export const listTokens = async (db: Db, sessionId: string): Promise<Token[]> => {
  const rows = await db
    .selectFrom('tokens')
    .select(['id', 'kind', 'name', 'participant_id', 'session_id', 'created_at', 'expires_at', 'revoked_at'])
    .where('session_id', '=', sessionId)
    .orderBy('id', 'desc')
    .limit(1000)
    .execute()
  return rows.map((row) => ({
    tokenId: row.id,
    kind: row.kind,
    name: row.name,
    participantId: row.participant_id,
    sessionId: row.session_id,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    revokedAt: row.revoked_at?.toISOString() ?? null,
  }))
}

/** False when the session has no such token; revoking twice is the same as once. */
export const revokeToken = async (db: Db, sessionId: string, tokenId: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('tokens')
    .set({ revoked_at: sql`coalesce(revoked_at, now())` })
    .where('id', '=', tokenId)
    .where('session_id', '=', sessionId)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Ends the token with this hash, whatever it was made for; one that is unknown or has ended already is no error. */
export const revokeTokenByHash = async (db: Db, sha256: Buffer): Promise<void> => {
  await db
    .updateTable('tokens')
    .set({ revoked_at: sql`now()` })
    .where('sha256', '=', sha256)
    .where('revoked_at', 'is', null)
    .execute()
}
