import { newId, type targetsDeclareInput, type TargetsDeclareResult } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { z } from 'zod'
import type { Principal } from '../core/authenticate.ts'
import { requireActiveNode } from '../nodes/index.ts'
import { identityOf } from './identity.ts'
import * as store from './store.ts'

/** Declarations as the schema leaves them, its defaults filled in. */
type Declaration = z.output<typeof targetsDeclareInput>

/**
 * Takes over what a node sees: each server becomes one row however many nodes reach it, each cluster one row. The list
 * replaces the node's former one. Answers the ids in the declared order.
 */
export const declareTargets = (
  db: Kysely<Schema>,
  principal: Principal,
  declaration: Declaration,
): Promise<TargetsDeclareResult & { sessionId: string }> =>
  inTransaction(db, async (trx) => {
    const { nodeId, epoch, targets, clusters } = declaration
    const { sessionId } = await requireActiveNode(trx, { principal, nodeId, epoch })
    await store.lockDeclarations(trx, sessionId)
    const identities = targets.map((target) => identityOf(nodeId, target))
    const runIds = targets.flatMap((target) => target.runId ?? [])
    const known = await store.findKnown(trx, sessionId, { identities, runIds })

    const clusterIds: string[] = []
    for (const [index, cluster] of clusters.entries()) {
      const members = new Set(targets.filter((each) => each.cluster === index).map((each) => each.clusterNodeId))
      const id = known.find((row) => row.clusterNodeId !== null && members.has(row.clusterNodeId))?.clusterId ?? newId()
      clusterIds.push(id)
      if (members.size > 0) await store.upsertCluster(trx, { id, sessionId, ok: cluster.ok, error: cluster.error })
    }

    const rows = new Map<string, store.TargetRow>()
    const targetIds = targets.map((declared, index) => {
      const identity = identities[index]!
      const match =
        known.find((row) => row.identity === identity) ??
        (declared.clusterNodeId === undefined && declared.runId !== undefined
          ? known.find((row) => row.runId === declared.runId)
          : undefined)
      const kept = match?.identity ?? identity
      const id = rows.get(kept)?.id ?? match?.id ?? newId()
      const clusterId = declared.cluster === undefined ? null : (clusterIds[declared.cluster] ?? null)
      rows.set(kept, { id, identity: kept, clusterId, declared })
      return id
    })
    await store.upsertTargets(trx, sessionId, [...rows.values()])
    const reached = new Set(targetIds.filter((_, index) => targets[index]!.reachable))
    await store.replaceReach(trx, nodeId, [...reached])
    return { sessionId, targetIds }
  })
