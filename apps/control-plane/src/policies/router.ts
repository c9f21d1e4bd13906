import { policySetInput, sessionIdInput, type Policy } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Kysely, Transaction } from 'kysely'
import type { Config } from '../config.ts'
import { personProcedure, router } from '../core/trpc.ts'
import { raisePolicyFloor, readPolicyFloor, requireAccess } from '../sessions/index.ts'
import { currentPolicy, insertPolicy } from './store.ts'

const shown = async (db: Kysely<Schema> | Transaction<Schema>, sessionId: string, config: Config): Promise<Policy> => {
  const { sha256, createdAt, ...policy } = await currentPolicy(db, sessionId, config.captures.redactionDefault)
  return {
    sessionId,
    ...policy,
    sha256: sha256.toString('hex'),
    minRevision: await readPolicyFloor(db, sessionId),
    createdAt: createdAt.toISOString(),
  }
}

/** Asks captures under older revisions to stop; given when the router is put together, since captures depend on policies. */
type StopOlder = (
  trx: Transaction<Schema>,
  policy: { sessionId: string; participantId: string; revision: number },
) => Promise<void>

/** `policies.*`: what captures of a session keep of each line. */
export const createPoliciesRouter = (stopOlder: StopOlder) =>
  router({
    get: personProcedure.input(sessionIdInput).query(async ({ ctx, input }) => {
      const { db, config } = ctx.resources
      const { sessionId } = input
      await requireAccess(db, { sessionId, participantId: ctx.principal.participantId, action: 'policy.read' })
      return shown(db, sessionId, config)
    }),

    /** The next revision, for captures that start from now on. The lock on the session makes revisions count without holes. */
    set: personProcedure.input(policySetInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const { config } = ctx.resources
        const { participantId } = ctx.principal
        const { sessionId, rules, strict } = input
        const action = rules.level === 'none' ? 'policy.setNone' : 'policy.set'
        await requireAccess(trx, { sessionId, participantId, action, live: true, lock: 'update' })
        const { revision } = await currentPolicy(trx, sessionId, config.captures.redactionDefault)
        const next = revision + 1
        await insertPolicy(trx, { sessionId, revision: next, rules, createdBy: participantId })
        if (strict) {
          await raisePolicyFloor(trx, sessionId, next)
          await stopOlder(trx, { sessionId, participantId, revision: next })
        }
        return shown(trx, sessionId, config)
      }),
    ),
  })
