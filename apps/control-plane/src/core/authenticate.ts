import { SondeError, TOKEN_PATTERN, type TokenKind } from '@sonde/contracts'
import { hashToken, type Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'

/** Who calls: always taken from a verified token, never from a request's body. */
export interface Principal {
  kind: TokenKind
  participantId: string
  tokenId: string
  /** The one session that a node's token acts in; for a person null, since membership decides. */
  onlySessionId: string | null
}

/** Verifies the token of a call; throws `auth.*`. */
export type Authenticate = (token: string | undefined) => Promise<Principal>

/** How long a verdict is reused. A lane makes many calls a second; a revoked token is refused within this time. */
const REUSE_MS = 1_000
const MOST_REMEMBERED = 10_000

/** A verifier with its own short memory of verdicts. Expiry and revocation are read with the database's clock. */
export const createAuthenticate = (db: Kysely<Schema>, monotonicMs: () => number): Authenticate => {
  const remembered = new Map<string, { principal: Principal; until: number }>()
  return async (token) => {
    if (token === undefined) throw new SondeError('auth.token_missing')
    if (!TOKEN_PATTERN.test(token)) throw new SondeError('auth.token_invalid')
    const hash = hashToken(token)
    const key = hash.toString('base64')
    const known = remembered.get(key)
    if (known && known.until > monotonicMs()) return known.principal
    const row = await db
      .selectFrom('tokens')
      .select(['id', 'kind', 'participant_id', 'session_id', 'revoked_at'])
      .select(sql<boolean>`expires_at <= now()`.as('expired'))
      .where('sha256', '=', hash)
      .executeTakeFirst()
    remembered.delete(key)
    if (!row || row.revoked_at !== null) throw new SondeError('auth.token_invalid')
    if (row.expired) throw new SondeError('auth.token_expired')
    const principal: Principal = {
      kind: row.kind,
      participantId: row.participant_id,
      tokenId: row.id,
      onlySessionId: row.kind === 'node' ? row.session_id : null,
    }
    if (remembered.size >= MOST_REMEMBERED) remembered.clear()
    remembered.set(key, { principal, until: monotonicMs() + REUSE_MS })
    return principal
  }
}

/** The token of an `Authorization: Bearer` header; undefined when there is none. */
export const bearerToken = (header: string | undefined): string | undefined =>
  header === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
