import type { Blocker, RosterNode, Target } from '@sonde/contracts'
import { BLOCKER_WORDS, nodeName } from '../nodes/node-words.ts'
import { inert } from '../ui/inert.ts'
import { shortId } from '../ui/units.ts'
import type { StartFields } from './start-input.ts'

/** Whether a target would take part in a capture that starts now. The server has the last word. */
export interface Prospect {
  target: Target
  willTakePart: boolean
  /** Who would read it, or why none would; safe to show. */
  words: string
}

const ownsSlots = ({ role, slots }: Target): boolean => role === 'primary' && slots.length > 0

/** The targets that a scope means, those too that no node reaches: a cluster is captured whole or said not to be. */
export const targetsInScope = (
  targets: readonly Target[],
  { scope, clusterId, targetIds }: Pick<StartFields, 'scope' | 'clusterId' | 'targetIds'>,
): Target[] => {
  switch (scope) {
    case 'targets':
      return targets.filter(({ id }) => targetIds.includes(id))
    case 'cluster':
      return targets.filter((target) => target.clusterId === clusterId && ownsSlots(target))
    case 'primaries': {
      // A cluster of which nothing is reached is one of the past.
      const reached = new Set(targets.filter(({ nodeIds }) => nodeIds.length > 0).map((target) => target.clusterId))
      return targets.filter((target) =>
        target.clusterId === null
          ? target.role === 'primary' && target.nodeIds.length > 0
          : reached.has(target.clusterId) && ownsSlots(target),
      )
    }
  }
}

/** What is to be expected of each of these targets, by what the nodes that read them say now. */
export const prospectsOf = (targets: readonly Target[], nodes: readonly RosterNode[]): Prospect[] => {
  const byId = new Map(nodes.filter(({ endedAt }) => endedAt === null).map((node) => [node.nodeId, node]))
  return targets.map((target) => {
    const readers = target.nodeIds.flatMap((nodeId) => byId.get(nodeId) ?? [])
    const able = readers.filter((node) => node.schedulable && Object.hasOwn(node.capabilities, 'monitor'))
    const obstacle = obstacleOf(target, { readers, able })
    return obstacle === undefined
      ? { target, willTakePart: true, words: `will take part, read by ${readerWords(able)}` }
      : { target, willTakePart: false, words: obstacle }
  })
}

const readerWords = (able: readonly RosterNode[]): string =>
  able.length === 1 ? inert(nodeName(able[0]!)) : `one of ${able.length} nodes`

const obstacleOf = (
  { heldBy, health, nodeIds }: Target,
  { readers, able }: { readers: readonly RosterNode[]; able: readonly RosterNode[] },
): string | undefined => {
  if (heldBy !== null) return `held by capture ${shortId(heldBy)}`
  if (able.length > 0) return undefined
  if (health === 'unhealthy') return 'unhealthy'
  if (nodeIds.length === 0) return 'no node reads it'
  if (readers.length === 0) return 'its nodes have left'
  const blockers = [...new Set<Blocker>(readers.flatMap((node) => node.blockers))]
  const why = blockers.length === 0 ? 'cannot capture' : blockers.map((each) => BLOCKER_WORDS[each]).join(', ')
  return readers.length === 1 ? `its node: ${why}` : `its ${readers.length} nodes: ${why}`
}

/** How many targets have to be running together for the capture to begin. */
export const neededCount = (require: StartFields['require'], planned: number): number => {
  if (require === 'all') return planned
  return require === 'quorum' ? Math.floor(planned / 2) + 1 : 1
}
