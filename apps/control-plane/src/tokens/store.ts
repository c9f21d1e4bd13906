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
    /** A credential for this node, given for its key. */
    credentialOf?: string
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
      ...(token.credentialOf !== undefined && { node_id: token.credentialOf, is_credential: true }),
      expires_at: sql<Date>`now() + ${token.ttlMs} * interval '1 millisecond'`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return row.expires_at
}

/**
 * Makes a token that belongs to no node the token of this one, for good. Answers whose it is then: of two nodes at once the
 * row lock lets one through, and the other finds its `node_id` set. Undefined for a token that has ended.
 */
export const bindToken = async (
  trx: Transaction<Schema>,
  tokenId: string,
  nodeId: string,
): Promise<string | undefined> => {
  const row = await trx
    .updateTable('tokens')
    .set({ node_id: sql`coalesce(node_id, ${nodeId})` })
    .where('id', '=', tokenId)
    .where('revoked_at', 'is', null)
    .returning('node_id')
    .executeTakeFirst()
  return row?.node_id ?? undefined
}

/** Ends all tokens of a node in a session because it was revoked there, which their holder is told. */
export const revokeNodeTokens = async (
  trx: Transaction<Schema>,
  node: { sessionId: string; nodeId: string },
): Promise<void> => {
  await trx
    .updateTable('tokens')
    .set({ revoked_at: sql`now()`, node_revoked: true })
    .where('node_id', '=', node.nodeId)
    .where('session_id', '=', node.sessionId)
    .where('revoked_at', 'is', null)
    .execute()
}

/** Tokens that were made in a session, newest first; ids are UUIDv7. Credentials are not listed: nodes renew them by the hour. */
export const listTokens = async (db: Db, sessionId: string): Promise<Token[]> => {
  const rows = await db
    .selectFrom('tokens')
    .select(['id', 'kind', 'name', 'participant_id', 'session_id', 'created_at', 'expires_at', 'revoked_at'])
    .where('session_id', '=', sessionId)
    .where('is_credential', '=', false)
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
