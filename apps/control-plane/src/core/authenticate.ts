import { SondeError, TOKEN_PATTERN, type Clock, type TokenKind } from '@sonde/contracts'
import { hashToken, type Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { findTokens } from './find-tokens.ts'
import { createGroupCommit } from './group-commit.ts'

/** Who calls: always taken from a verified token, never from a request's body. */
export interface Principal {
  kind: TokenKind
  participantId: string
  tokenId: string
  /** The one session that a node's token acts in; for a person null, since membership decides. */
  onlySessionId: string | null
  /** The one node that a node's token acts for; null before its first attach, and for a person. */
  nodeId: string | null
  /** The token is a node's credential that has passed half of its life. */
  isRenewalDue: boolean
}

/** Verifies the token of a call; throws `auth.*`. */
export type Authenticate = (token: string | undefined) => Promise<Principal>

/** How long a verdict is reused. A lane makes many calls a second; a revoked token is refused within this time. */
const REUSE_MS = 1_000
const MOST_REMEMBERED = 10_000

/**
 * A verifier with its own short memory of verdicts. Expiry and revocation are read with the database's clock. Each node has a
 * token of its own and calls once in 15 s, so that nothing is remembered of it: lookups that come together share a statement.
 */
export const createAuthenticate = (db: Kysely<Schema>, clock: Clock): Authenticate => {
  const find = createGroupCommit({ clock, windowMs: 1, commit: (hashes: Buffer[]) => findTokens(db, hashes) })
  const remembered = new Map<string, { principal: Principal; until: number }>()
  return async (token) => {
    if (token === undefined) throw new SondeError('auth.token_missing')
    if (!TOKEN_PATTERN.test(token)) throw new SondeError('auth.token_invalid')
    const known = remembered.get(token)
    if (known && known.until > clock.monotonicMs()) return known.principal
    const row = await find(hashToken(token))
    remembered.delete(token)
    if (row?.node_revoked) throw new SondeError('runtimenode.attach_revoked')
    if (!row || row.revoked_at !== null) throw new SondeError('auth.token_invalid')
    if (row.expired) throw new SondeError('auth.token_expired')
    const principal: Principal = {
      kind: row.kind,
      participantId: row.participant_id,
      tokenId: row.id,
      onlySessionId: row.kind === 'node' ? row.session_id : null,
      nodeId: row.node_id,
      isRenewalDue: row.isRenewalDue,
    }
    // A node's first attach binds its token, and the next call must see that.
    if (principal.kind === 'node' && principal.nodeId === null) return principal
    if (remembered.size >= MOST_REMEMBERED) remembered.clear()
    remembered.set(token, { principal, until: clock.monotonicMs() + REUSE_MS })
    return principal
  }
}

/**
 * The refusal of a node's token that belongs to `nodeId`, by its holder, for another node. The token is the caller's own, so
 * it may be told.
 */
export const tokenBound = (nodeId: string | null): SondeError =>
  new SondeError('auth.token_bound', {
    message:
      nodeId === null
        ? 'This token belongs to no node yet. Attach with it first.'
        : `This token belongs to node ${nodeId}. Make one for each node.`,
    details: { nodeId },
  })

/** For each call that names a node: a node's token calls for its own node alone. Throws `auth.token_bound`. */
export const requireOwnToken = ({ kind, nodeId: own }: Principal, nodeId: string): void => {
  if (kind === 'node' && own !== nodeId) throw tokenBound(own)
}

/** The token of an `Authorization: Bearer` header; undefined when there is none. */
export const bearerToken = (header: string | undefined): string | undefined =>
  header === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
