import { targetsDeclareInput, targetsListInput, type TargetList } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { nodeProcedure, personProcedure, router } from '../core/trpc.ts'
import { requireAccess } from '../sessions/index.ts'
import { declareTargets } from './declare.ts'
import { listClusters, listTargets } from './store.ts'

/** Which running capture holds each of the targets; captures know, targets do not. */
export type HoldersOf = (db: Kysely<Schema>, targetIds: string[]) => Promise<Map<string, string>>

/** `targets.*`: the servers that nodes can reach. */
export const createTargetsRouter = (holdersOf: HoldersOf) =>
  router({
    declare: nodeProcedure
      .input(targetsDeclareInput)
      .mutation(({ ctx, input }) => declareTargets(ctx.resources.db, ctx.principal, input)),

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
