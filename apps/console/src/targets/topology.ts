import type { Target, TargetList } from '@sonde/contracts'
import { addressOf } from './target-words.ts'

/** A primary and the replicas that follow it, in this order; a shard may have lost its primary. */
export type Shard = readonly Target[]

/** A cluster as its nodes told it last. */
export interface ClusterTopology {
  id: string
  discovery: TargetList['clusters'][number]['discovery'] | null
  /** By their first slot; those without slots last. */
  shards: readonly Shard[]
  /** Of 16,384, how many a listed primary serves. */
  slotCount: number
}

export interface Topology {
  clusters: readonly ClusterTopology[]
  standalone: readonly Target[]
}

const collator = new Intl.Collator('en', { numeric: true })
const byAddress = (a: Target, b: Target): number => collator.compare(addressOf(a), addressOf(b))
const inShard = (a: Target, b: Target): number =>
  Number(a.role === 'replica') - Number(b.role === 'replica') || byAddress(a, b)
const firstSlot = (shard: Shard): number => shard[0]?.slots[0]?.[0] ?? Number.POSITIVE_INFINITY
const inCluster = (a: Shard, b: Shard): number => {
  const [slotA, slotB] = [firstSlot(a), firstSlot(b)]
  if (slotA !== slotB) return slotA < slotB ? -1 : 1
  return a[0] && b[0] ? byAddress(a[0], b[0]) : 0
}

const grouped = <T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

const slotsOf = (targets: readonly Target[]): number =>
  targets
    .filter(({ role }) => role === 'primary')
    .flatMap(({ slots }) => slots)
    .reduce((total, [first, last]) => total + last - first + 1, 0)

/** Targets by cluster and shard. */
export const topologyOf = ({ targets, clusters }: TargetList): Topology => {
  const byCluster = grouped(
    targets.filter(({ clusterId }) => clusterId !== null),
    ({ clusterId }) => clusterId ?? '',
  )
  return {
    clusters: [...byCluster].map(([id, members]) => ({
      id,
      discovery: clusters.find((each) => each.id === id)?.discovery ?? null,
      shards: [...grouped(members, (target) => target.shard ?? target.id).values()]
        .map((shard) => shard.toSorted(inShard))
        .toSorted(inCluster),
      slotCount: slotsOf(members),
    })),
    standalone: targets.filter(({ clusterId }) => clusterId === null).toSorted(byAddress),
  }
}

/** The targets that hold all of the words, in their address, version, role or a node's id. */
export const filterTargets = (targets: readonly Target[], text: string): Target[] => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return targets.filter((target) => {
    const own = [addressOf(target), target.role, target.health, target.serverVersion, ...target.nodeIds]
    return words.every((word) => own.join('\n').toLowerCase().includes(word))
  })
}
