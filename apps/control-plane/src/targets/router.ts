import { targetsDeclareInput, targetsListInput, type TargetList } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { Resources } from '../core/resources.ts'
import { nodeProcedure, personProcedure, router } from '../core/trpc.ts'
import { requireAccess } from '../sessions/index.ts'
import { declareTargets } from './declare.ts'
import { listClusters, listTargets } from './store.ts'

/** Which running capture holds each of the targets; captures know, targets do not. */
export type HoldersOf = (db: Kysely<Schema>, targetIds: string[]) => Promise<Map<string, string>>

/** What captures do about a changed topology of a session. */
export type FollowSession = (resources: Resources, sessionId: string) => Promise<void>

export interface TargetsRouterOptions {
  holdersOf: HoldersOf
  followSession: FollowSession
}

/** `targets.*`: the servers that nodes can reach. */
export const createTargetsRouter = ({ holdersOf, followSession }: TargetsRouterOptions) =>
  router({
    declare: nodeProcedure.input(targetsDeclareInput).mutation(async ({ ctx, input }) => {
      const { sessionId, targetIds } = await declareTargets(ctx.resources.db, ctx.principal, input)
      await followSession(ctx.resources, sessionId)
      return { targetIds }
    }),

    list: personProcedure.input(targetsListInput).query(async ({ ctx, input }): Promise<TargetList> => {
      const { db } = ctx.resources
      const { sessionId, clusterId } = input
      const { participantId } = ctx.principal
      await requireAccess(db, { sessionId, participantId, action: 'target.read' })
      const targets = await listTargets(db, sessionId, { clusterId })
      const holders = await holdersOf(
        db,
        targets.map((target) => target.id),
      )
      return {
        targets: targets.map((target) => ({ ...target, heldBy: holders.get(target.id) ?? null })),
        clusters: await listClusters(db, sessionId, clusterId),
      }
    }),
  })
