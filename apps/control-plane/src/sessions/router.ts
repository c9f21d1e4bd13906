import {
  addMemberInput,
  newId,
  removeMemberInput,
  sessionCreateInput,
  sessionIdInput,
  sessionListInput,
  setFloorInput,
  SondeError,
  type Session,
} from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Kysely, Transaction } from 'kysely'
import { personProcedure, router } from '../core/trpc.ts'
import { requireAccess } from './access.ts'
import * as store from './store.ts'

const shown = async (
  db: Kysely<Schema> | Transaction<Schema>,
  sessionId: string,
  participantId: string,
): Promise<Session> => {
  const session = await store.findSession(db, sessionId, participantId)
  if (!session) throw new SondeError('session.not_found')
  return session
}

/** Asks all running captures of a session to stop; given when the router is put together, since captures depend on sessions. */
type StopCaptures = (db: Transaction<Schema>, sessionId: string, participantId: string) => Promise<void>

/** `sessions.*`: the workspaces in which people and nodes meet. */
export const createSessionsRouter = (stopCaptures: StopCaptures) =>
  router({
    create: personProcedure.input(sessionCreateInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const id = newId()
        const { participantId } = ctx.principal
        await store.insertSession(trx, {
          id,
          ...input,
          minClientVersion: input.minClientVersion,
          ownerId: participantId,
        })
        return shown(trx, id, participantId)
      }),
    ),

    get: personProcedure.input(sessionIdInput).query(async ({ ctx, input }) => {
      const { db } = ctx.resources
      const session = await shown(db, input.sessionId, ctx.principal.participantId)
      return { ...session, members: await store.listMembers(db, input.sessionId) }
    }),

    list: personProcedure.input(sessionListInput).query(async ({ ctx, input }) => {
      const sessions = await store.listSessions(ctx.resources.db, ctx.principal.participantId, {
        ...input,
        cursor: input.cursor,
      })
      const last = sessions.length === input.limit ? sessions.at(-1) : undefined
      return { sessions, nextCursor: last?.id ?? null }
    }),

    setFloor: personProcedure.input(setFloorInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const { participantId } = ctx.principal
        const { sessionId, minClientVersion } = input
        await requireAccess(trx, { sessionId, participantId, action: 'session.setFloor', live: true, lock: 'update' })
        if (!(await store.raiseFloor(trx, sessionId, minClientVersion))) {
          const { minClientVersion: current } = await shown(trx, sessionId, participantId)
          throw new SondeError('session.floor_not_raised', {
            message: `The version floor is ${current}; it can only be raised, so ${minClientVersion} is refused.`,
            details: { current, requested: minClientVersion },
          })
        }
        return shown(trx, sessionId, participantId)
      }),
    ),

    addMember: personProcedure.input(addMemberInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const { sessionId } = input
        const { participantId } = ctx.principal
        await requireAccess(trx, { sessionId, participantId, action: 'session.members', live: true, lock: 'update' })
        if (!(await store.participantExists(trx, input.participantId))) throw new SondeError('participant.not_found')
        if (input.role !== 'owner' && !(await store.hasOtherOwner(trx, sessionId, input.participantId))) {
          throw new SondeError('session.last_owner')
        }
        await store.upsertMember(trx, input)
        return { members: await store.listMembers(trx, sessionId) }
      }),
    ),

    /** Ends a membership. Nodes of that person stay attached, but their beats are refused from now on (I-003-3). */
    removeMember: personProcedure.input(removeMemberInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const { sessionId } = input
        const { participantId } = ctx.principal
        await requireAccess(trx, { sessionId, participantId, action: 'session.members', lock: 'update' })
        if (!(await store.hasOtherOwner(trx, sessionId, input.participantId)))
          throw new SondeError('session.last_owner')
        if (!(await store.revokeMember(trx, sessionId, input.participantId))) {
          throw new SondeError('session.member_not_found')
        }
        return { members: await store.listMembers(trx, sessionId) }
      }),
    ),

    /** Ends a session for work: it takes no more of it, and captures that run are asked to stop. */
    archive: personProcedure.input(sessionIdInput).mutation(({ ctx, input }) =>
      inTransaction(ctx.resources.db, async (trx) => {
        const { sessionId } = input
        const { participantId } = ctx.principal
        await requireAccess(trx, { sessionId, participantId, action: 'session.archive', lock: 'update' })
        await store.archiveSession(trx, sessionId)
        await stopCaptures(trx, sessionId, participantId)
        return shown(trx, sessionId, participantId)
      }),
    ),
  })
