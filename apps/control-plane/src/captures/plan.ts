import { SondeError, type Blocker, type Scope, type TerminationReason } from '@sonde/contracts'
import type { Kysely } from 'kysely'
import type { Schema } from '@sonde/database'
import type { Config } from '../config.ts'
import { nodeStates } from '../nodes/index.ts'
import { listClusters, listTargets, type TargetFacts } from '../targets/index.ts'
import { firstRanked } from './rank.ts'

/** One target of a plan: the node that will capture it, or why none will. */
export interface PlannedTarget {
  target: TargetFacts
  node: { nodeId: string; epoch: number } | undefined
  skipped: TerminationReason | undefined
}

const ownsSlots = (target: TargetFacts): boolean => target.role === 'primary' && target.slots.length > 0

/**
 * The targets that a scope means. A cluster's slot owners are all in it, also those that nobody reaches; `primaries` leaves
 * out what no node reaches any part of, which is a server or a cluster of the past.
 */
const resolveScope = async (db: Kysely<Schema>, sessionId: string, scope: Scope): Promise<TargetFacts[]> => {
  switch (scope.kind) {
    case 'targets': {
      const wanted = [...new Set(scope.targetIds)]
      const targets = await listTargets(db, sessionId, { targetIds: wanted })
      const missing = wanted.filter((id) => !targets.some((target) => target.id === id))
      if (missing.length > 0) throw new SondeError('target.not_found', { details: { targetIds: missing } })
      return targets
    }
    case 'cluster': {
      const [cluster] = await listClusters(db, sessionId, scope.clusterId)
      if (!cluster) {
        throw new SondeError('target.not_found', {
          message: 'There is no such cluster in this session. `sonde capture targets` lists them.',
        })
      }
      requireDiscovered([cluster])
      return (await listTargets(db, sessionId, { clusterId: scope.clusterId })).filter(ownsSlots)
    }
    case 'primaries': {
      const targets = await listTargets(db, sessionId)
      const reached = new Set(targets.flatMap((target) => (target.nodeIds.length > 0 ? (target.clusterId ?? []) : [])))
      const clusters = await listClusters(db, sessionId)
      requireDiscovered(clusters.filter((cluster) => reached.has(cluster.id)))
      return targets.filter((target) =>
        target.clusterId === null
          ? target.role === 'primary' && target.nodeIds.length > 0
          : reached.has(target.clusterId) && ownsSlots(target),
      )
    }
  }
}

/** A capture of half a cluster that looks like one of the whole is worse than none. */
const requireDiscovered = (clusters: Awaited<ReturnType<typeof listClusters>>): void => {
  const failed = clusters.filter((cluster) => !cluster.discovery.ok)
  if (failed.length === 0) return
  throw new SondeError('capture.discovery_failed', {
    details: { clusters: failed.map(({ id, discovery }) => ({ clusterId: id, error: discovery.error })) },
  })
}

const reasonOf = (target: TargetFacts, blockers: Blocker[]): TerminationReason => {
  if (target.health === 'unhealthy') return 'target_unhealthy'
  if (blockers.includes('read_only')) return 'node_read_only'
  if (blockers.includes('cordoned')) return 'node_cordoned'
  if (blockers.includes('stale') || blockers.includes('not_online')) return 'node_offline'
  return 'no_capable_node'
}

/** Resolves a scope and proposes a node for each target; the unique index on running segments has the last word. */
export const planCapture = async (
  db: Kysely<Schema>,
  request: { sessionId: string; scope: Scope; liveness: Config['liveness'] },
): Promise<PlannedTarget[]> => {
  const targets = await resolveScope(db, request.sessionId, request.scope)
  if (targets.length === 0) throw new SondeError('capture.plan_empty')
  const states = await nodeStates(db, [...new Set(targets.flatMap((target) => target.nodeIds))], request.liveness)
  return targets.map((target) => {
    const here = target.nodeIds.flatMap((nodeId) => {
      const state = states.get(nodeId)
      return state && state.sessionId === request.sessionId ? [state] : []
    })
    const able = here.filter((node) => node.schedulable && Object.hasOwn(node.capabilities, 'monitor'))
    const chosen = firstRanked(
      target.id,
      able.map((node) => node.nodeId),
    )
    const node = able.find((each) => each.nodeId === chosen)
    if (node) return { target, node: { nodeId: node.nodeId, epoch: node.epoch }, skipped: undefined }
    return {
      target,
      node: undefined,
      skipped: reasonOf(
        target,
        here.flatMap((each) => each.blockers),
      ),
    }
  })
}

/** How many of `planned` targets a start requires. */
export const requiredCount = (require: 'all' | 'quorum' | 'any' | number, planned: number): number => {
  switch (require) {
    case 'all':
      return planned
    case 'quorum':
      return Math.floor(planned / 2) + 1
    case 'any':
      return 1
    default:
      return require
  }
}
