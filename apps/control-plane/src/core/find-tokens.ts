import type { TokenKind } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'

/** What is stored of a token, with its times judged by the database's clock. */
export interface FoundToken {
  id: string
  kind: TokenKind
  participant_id: string
  session_id: string | null
  node_id: string | null
  revoked_at: Date | null
  node_revoked: boolean
  expired: boolean
  isRenewalDue: boolean
}

/** Finds tokens by their hashes, in that order; null where there is none. */
export const findTokens = async (db: Kysely<Schema>, hashes: Buffer[]): Promise<(FoundToken | null)[]> => {
  const { rows } = await sql<FoundToken | Record<keyof FoundToken, null>>`/* prepared: find_tokens */
    select t.id, t.kind, t.participant_id, t.session_id, t.node_id, t.revoked_at, t.node_revoked,
      t.expires_at <= now() as expired,
      t.is_credential and now() >= t.created_at + (t.expires_at - t.created_at) / 2 as "isRenewalDue"
    from unnest(${hashes}::bytea[]) with ordinality as h (sha256, n)
    left join tokens t on t.sha256 = h.sha256
    order by h.n`.execute(db)
  return rows.map((row) => (row.id === null ? null : row))
}
