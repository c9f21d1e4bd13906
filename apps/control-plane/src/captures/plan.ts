import { SondeError, type Blocker, type Scope, type TerminationReason } from '@sonde/contracts'
import type { Kysely, Transaction } from 'kysely'
import type { Schema } from '@sonde/database'
import type { Config } from '../config.ts'
import { nodeStates } from '../nodes/index.ts'
import { listClusters, listTargets, readByAny, type TargetFacts } from '../targets/index.ts'
import { firstRanked } from './rank.ts'

/** One target of a plan: the node that will capture it, or why none will. */
export interface PlannedTarget {
  target: TargetFacts
  node: { nodeId: string; epoch: number } | undefined
  skipped: TerminationReason | undefined
}

const ownsSlots = (target: TargetFacts): boolean => target.role === 'primary' && target.slots.length > 0

/** A scope that is resolved from the topology, so that targets come into it and leave it. */
export type FollowedScope = Exclude<Scope, { kind: 'targets' }>

/**
 * Which of the session's targets such a scope means. A cluster's slot owners (or replicas) are all in it, also those that
 * nobody reaches; a scope of the whole session leaves out what no node reaches any part of, which is a server or a cluster of
 * the past.
 */
export const targetsInScope = (scope: FollowedScope, targets: readonly TargetFacts[]): TargetFacts[] => {
  const reached = new Set(targets.flatMap((target) => (target.nodeIds.length > 0 ? (target.clusterId ?? []) : [])))
  const isPresent = (target: TargetFacts): boolean =>
    target.clusterId === null ? target.nodeIds.length > 0 : reached.has(target.clusterId)
  switch (scope.kind) {
    case 'cluster':
      return targets.filter((target) => target.clusterId === scope.clusterId && ownsSlots(target))
    case 'primaries':
      return targets.filter(
        (target) => isPresent(target) && (target.clusterId === null ? target.role === 'primary' : ownsSlots(target)),
      )
    case 'replicas': {
      const { clusterId } = scope
      const isMeant = (target: TargetFacts) =>
        clusterId === undefined ? isPresent(target) : target.clusterId === clusterId
      return targets.filter((target) => target.role === 'replica' && isMeant(target))
    }
  }
}

const resolveScope = async (db: Kysely<Schema>, sessionId: string, scope: Scope): Promise<TargetFacts[]> => {
  if (scope.kind === 'targets') {
    const wanted = [...new Set(scope.targetIds)]
    const targets = await listTargets(db, sessionId, { targetIds: wanted })
    const missing = wanted.filter((id) => !targets.some((target) => target.id === id))
    if (missing.length > 0) throw new SondeError('target.not_found', { details: { targetIds: missing } })
    return targets
  }
  const clusterId = 'clusterId' in scope ? scope.clusterId : undefined
  const targets = await listTargets(db, sessionId)
  const reached = new Set(targets.flatMap((target) => (target.nodeIds.length > 0 ? (target.clusterId ?? []) : [])))
  const clusters = await listClusters(db, sessionId, clusterId)
  if (clusterId !== undefined && clusters.length === 0) {
    throw new SondeError('target.not_found', {
      message: 'There is no such cluster in this session. `sonde capture targets` lists them.',
    })
  }
  requireDiscovered(clusters.filter((cluster) => clusterId !== undefined || reached.has(cluster.id)))
  return targetsInScope(scope, targets)
}

/** A capture of half a cluster that looks like one of the whole is worse than none. */
const requireDiscovered = (clusters: Awaited<ReturnType<typeof listClusters>>): void => {
  const failed = clusters.filter((cluster) => !cluster.discovery.ok)
  if (failed.length === 0) return
  throw new SondeError('capture.discovery_failed', {
    details: { clusters: failed.map(({ id, discovery }) => ({ clusterId: id, error: discovery.error })) },
  })
}

const reasonOf = (target: TargetFacts, blockers: Blocker[], nodes: 'here' | 'gone' | 'none'): TerminationReason => {
  if (target.health === 'unhealthy') return 'target_unhealthy'
  if (nodes === 'gone') return 'node_offline'
  if (nodes === 'none') return 'target_unreachable'
  if (blockers.includes('read_only')) return 'node_read_only'
  if (blockers.includes('cordoned')) return 'node_cordoned'
  if (blockers.includes('not_declared')) return 'no_capable_node'
  if (blockers.includes('stale') || blockers.includes('not_online')) return 'node_offline'
  return 'no_capable_node'
}

/** Proposes a node for each target; the unique index on running segments has the last word. */
export const pickNodes = async (
  db: Kysely<Schema> | Transaction<Schema>,
  request: { sessionId: string; targets: readonly TargetFacts[]; liveness: Config['liveness'] },
): Promise<PlannedTarget[]> => {
  const { sessionId, targets, liveness } = request
  const states = await nodeStates(db, [...new Set(targets.flatMap((target) => target.nodeIds))], liveness)
  const left = targets.filter((target) => target.nodeIds.length === 0).map((target) => target.id)
  const onceRead = left.length === 0 ? new Set<string>() : await readByAny(db, left)
  return targets.map((target) => {
    const here = target.nodeIds.flatMap((nodeId) => {
      const state = states.get(nodeId)
      return state && state.sessionId === sessionId ? [state] : []
    })
    const able = here.filter((node) => node.schedulable && Object.hasOwn(node.capabilities, 'monitor'))
    const chosen = firstRanked(
      target.id,
      able.map((node) => node.nodeId),
    )
    const node = able.find((each) => each.nodeId === chosen)
    if (node) return { target, node: { nodeId: node.nodeId, epoch: node.epoch }, skipped: undefined }
    const blockers = here.flatMap((each) => each.blockers)
    const isRead = target.nodeIds.length > 0 || onceRead.has(target.id)
    const nodes = here.length > 0 ? 'here' : isRead ? 'gone' : 'none'
    return { target, node: undefined, skipped: reasonOf(target, blockers, nodes) }
  })
}

/** Resolves a scope and proposes a node for each target. Throws `capture.plan_empty`, `capture.discovery_failed`, `target.not_found`. */
export const planCapture = async (
  db: Kysely<Schema>,
  request: { sessionId: string; scope: Scope; liveness: Config['liveness'] },
): Promise<PlannedTarget[]> => {
  const { sessionId, scope, liveness } = request
  const targets = await resolveScope(db, sessionId, scope)
  if (targets.length === 0) throw new SondeError('capture.plan_empty')
  return pickNodes(db, { sessionId, targets, liveness })
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
