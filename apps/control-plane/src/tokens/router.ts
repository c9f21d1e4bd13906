import {
  newId,
  SondeError,
  tokenCreateInput,
  tokenListInput,
  tokenRevokeInput,
  type TokenCreated,
  type TokenSelf,
} from '@sonde/contracts'
import { hashToken, inTransaction, mintToken } from '@sonde/database'
import { anyProcedure, personProcedure, router } from '../core/trpc.ts'
import { insertParticipant, requireAccess, upsertMember } from '../sessions/index.ts'
import { insertToken, listTokens, revokeToken } from './store.ts'

/** `tokens.*`: bearer tokens for people and nodes. Only hashes are stored; a token is shown once, in the answer that made it. */
export const tokensRouter = router({
  /** Whom the caller's token stands for; a daemon learns its owner and its session from it. */
  self: anyProcedure.query(({ ctx }): TokenSelf => {
    const { kind, participantId, onlySessionId } = ctx.principal
    return { kind, participantId, sessionId: onlySessionId }
  }),

  create: personProcedure.input(tokenCreateInput).mutation(({ ctx, input }): Promise<TokenCreated> =>
    inTransaction(ctx.resources.db, async (trx) => {
      const { sessionId, kind, name, ttlMs } = input
      const caller = ctx.principal.participantId
      const action = kind === 'node' ? 'token.createNode' : 'token.createPerson'
      await requireAccess(trx, { sessionId, participantId: caller, action, live: true, lock: 'share' })
      const participantId = kind === 'node' ? caller : newId()
      if (kind === 'person') {
        await insertParticipant(trx, { id: participantId, name })
        await upsertMember(trx, { sessionId, participantId, role: input.role })
      }
      const token = mintToken(kind)
      const tokenId = newId()
      const sha256 = hashToken(token)
      const expiresAt = await insertToken(trx, { id: tokenId, kind, sha256, name, participantId, sessionId, ttlMs })
      return { token, tokenId, kind, participantId, sessionId, expiresAt: expiresAt.toISOString() }
    }),
  ),

  list: personProcedure.input(tokenListInput).query(async ({ ctx, input }) => {
    const { db } = ctx.resources
    const { participantId } = ctx.principal
    await requireAccess(db, { sessionId: input.sessionId, participantId, action: 'token.list' })
    return { tokens: await listTokens(db, input.sessionId) }
  }),

  revoke: personProcedure.input(tokenRevokeInput).mutation(({ ctx, input }) =>
    inTransaction(ctx.resources.db, async (trx) => {
      const { participantId } = ctx.principal
      const { sessionId, tokenId } = input
      await requireAccess(trx, { sessionId, participantId, action: 'token.revoke', lock: 'share' })
      if (!(await revokeToken(trx, sessionId, tokenId))) throw new SondeError('token.not_found')
      return { tokenId }
    }),
  ),
})
