import { randomBytes } from 'node:crypto'
import type { SignInCode } from '@sonde/contracts'
import { personProcedure, router } from '../core/trpc.ts'
import { insertCode } from './store.ts'

/** `signIn.*`: how a person who has a token signs a browser in. */
export const signInRouter = router({
  /** A code that signs one browser in as the caller, once, within 10 minutes. */
  createCode: personProcedure.mutation(async ({ ctx }): Promise<SignInCode> => {
    const code = randomBytes(32).toString('base64url')
    const expiresAt = await insertCode(ctx.resources.db, code, ctx.principal.participantId)
    return { code, expiresAt: expiresAt.toISOString() }
  }),
})
