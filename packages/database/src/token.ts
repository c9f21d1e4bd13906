import { createHash, randomBytes } from 'node:crypto'
import { DAY_MS, ENROLLMENT_PREFIX, newId, Role, TOKEN_PREFIX, type TokenKind } from '@sonde/contracts'
import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'
import { inTransaction } from './transaction.ts'

/** What is stored of a token: the SHA-256 of its whole text. */
export const hashToken = (token: string): Buffer => createHash('sha256').update(token).digest()

const mint = (prefix: string): string => prefix + randomBytes(32).toString('base64url')

/** A new bearer token: its kind's prefix and 32 random bytes in base64url. */
export const mintToken = (kind: TokenKind): string => mint(TOKEN_PREFIX[kind])

/** A new enrollment token, of the same form. */
export const mintEnrollmentToken = (): string => mint(ENROLLMENT_PREFIX)

export interface OwnerToken {
  token: string
  participantId: string
  sessionId: string
  expiresAt: Date
}

/**
 * Makes a participant who owns a session, and a token for them, straight in the database: for the first start, and for an
 * operator who has lost every token but can reach the database. Joins the oldest session that takes work, or makes one.
 *
 * @param options.ttlMs life of the token. Default 90 days.
 */
export const createOwnerToken = (
  db: Kysely<Schema>,
  options: { name: string; sessionName?: string; ttlMs?: number },
): Promise<OwnerToken> =>
  inTransaction(db, async (trx) => {
    const participantId = newId()
    await trx.insertInto('participants').values({ id: participantId, name: options.name }).execute()
    const existing = await trx
      .selectFrom('sessions')
      .select('id')
      .where('state', 'in', ['provisioning', 'active'])
      .orderBy('created_at')
      .orderBy('id')
      .limit(1)
      .executeTakeFirst()
    const sessionId = existing?.id ?? newId()
    if (!existing) {
      await trx
        .insertInto('sessions')
        .values({ id: sessionId, name: options.sessionName ?? 'default', created_by: participantId })
        .execute()
    }
    await trx
      .insertInto('session_memberships')
      .values({ session_id: sessionId, participant_id: participantId, role: Role.owner })
      .execute()
    const token = mintToken('person')
    const expiresAt = new Date(Date.now() + (options.ttlMs ?? 90 * DAY_MS))
    await trx
      .insertInto('tokens')
      .values({
        id: newId(),
        kind: 'person',
        sha256: hashToken(token),
        name: options.name,
        participant_id: participantId,
        session_id: sessionId,
        expires_at: expiresAt,
      })
      .execute()
    return { token, participantId, sessionId, expiresAt }
  })
