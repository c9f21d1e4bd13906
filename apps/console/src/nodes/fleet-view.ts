import type { AttachmentState, Blocker, RosterNode, Target } from '@sonde/contracts'
import { addressOf } from '../targets/target-words.ts'
import { BLOCKERS, nodeName, STATES } from './node-words.ts'

export const FLEET_COLUMNS = ['node', 'state', 'liveness', 'work', 'version', 'targets', 'beat'] as const
export type FleetColumn = (typeof FLEET_COLUMNS)[number]

/** Nodes by whether they are given new work: those that are, those that are not, or those with one blocker. */
export type WorkFilter = 'ready' | 'blocked' | Blocker

/** What the address of the fleet page says. What is absent is as it is by default. */
export interface FleetSearch {
  /** Words that a node's name, id, host, version or a target's address must hold. */
  q?: string
  state?: AttachmentState
  work?: WorkFilter
  sort?: FleetColumn
  desc?: true
  /** Also nodes that ended more than an hour ago. */
  ended?: true
  /** The node that the side panel shows. */
  node?: string
}

const WORK_FILTERS: readonly WorkFilter[] = ['ready', 'blocked', ...BLOCKERS]

const oneOf = <T extends string>(values: readonly T[], value: unknown): T | undefined =>
  values.find((each) => each === value)

/** Reads an address that anybody may have written; what it does not know is left out. */
export const readFleetSearch = (raw: Record<string, unknown>): FleetSearch => {
  const text = (value: unknown) =>
    typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 256) : ''
  const q = text(raw['q'])
  const node = text(raw['node'])
  const state = oneOf(STATES, raw['state'])
  const work = oneOf(WORK_FILTERS, raw['work'])
  const sort = oneOf(FLEET_COLUMNS, raw['sort'])
  return {
    ...(q !== '' && { q }),
    ...(state && { state }),
    ...(work && { work }),
    ...(sort && { sort }),
    ...(raw['desc'] === true && { desc: true }),
    ...(raw['ended'] === true && { ended: true }),
    ...(node !== '' && { node }),
  }
}

/** Targets by the nodes that read them. */
export const targetsByNode = (targets: readonly Target[]): Map<string, Target[]> => {
  const byNode = new Map<string, Target[]>()
  for (const target of targets) {
    for (const nodeId of target.nodeIds) {
      const own = byNode.get(nodeId)
      if (own) own.push(target)
      else byNode.set(nodeId, [target])
    }
  }
  return byNode
}

/** How many nodes are ready, and how many each blocker holds back; a node may have several. */
export const countWork = (nodes: readonly RosterNode[]): Map<WorkFilter, number> => {
  const counts = new Map<WorkFilter, number>()
  const count = (key: WorkFilter) => counts.set(key, (counts.get(key) ?? 0) + 1)
  for (const { blockers } of nodes) {
    count(blockers.length === 0 ? 'ready' : 'blocked')
    for (const blocker of blockers) count(blocker)
  }
  return counts
}

interface Shown {
  nodes: readonly RosterNode[]
  targets: ReadonlyMap<string, readonly Target[]>
  search: FleetSearch
}

/** The nodes that the search asks for, in its order; those that are equal in it go by name and id. */
export const selectNodes = ({ nodes, targets, search }: Shown): RosterNode[] => {
  const words = (search.q ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  const textOf = (node: RosterNode) =>
    [nodeName(node), node.nodeId, node.host, node.clientVersion, ...(targets.get(node.nodeId) ?? []).map(addressOf)]
      .join('\n')
      .toLowerCase()
  const isAsked = (node: RosterNode) => {
    if (search.state && node.state !== search.state) return false
    if (search.work && !doesWork(node, search.work)) return false
    if (words.length === 0) return true
    const text = textOf(node)
    return words.every((word) => text.includes(word))
  }
  const column = search.sort ?? 'node'
  const keyed = nodes.filter(isAsked).map((node) => ({
    node,
    name: nodeName(node),
    key: keyOf(node, column, targets.get(node.nodeId)?.length ?? 0),
  }))
  const sign = search.desc ? -1 : 1
  keyed.sort((a, b) => {
    const byKey = a.key - b.key
    if (byKey !== 0) return sign * byKey
    const byName = collator.compare(a.name, b.name) || collator.compare(a.node.nodeId, b.node.nodeId)
    return column === 'node' ? sign * byName : byName
  })
  return keyed.map(({ node }) => node)
}

const collator = new Intl.Collator('en', { numeric: true })

const doesWork = ({ blockers }: RosterNode, work: WorkFilter): boolean => {
  if (work === 'ready') return blockers.length === 0
  return work === 'blocked' ? blockers.length > 0 : blockers.includes(work)
}

const LIVENESS = ['online', 'degraded', 'offline']

/** States from well to gone; of new work those that are ready first; of beats the newest. */
const keyOf = (node: RosterNode, column: FleetColumn, targetCount: number): number => {
  switch (column) {
    case 'node':
      return 0
    case 'state':
      return STATES.indexOf(node.state)
    case 'liveness':
      return node.liveness === null ? LIVENESS.length : LIVENESS.indexOf(node.liveness)
    case 'work': {
      const [first] = node.blockers
      return first === undefined ? -1 : BLOCKERS.indexOf(first)
    }
    case 'version': {
      const [major = 0, minor = 0] = node.clientVersion.split('.').map(Number)
      return node.versionMalformed ? -1 : major * 1_000_000_000 + minor
    }
    case 'targets':
      return targetCount
    case 'beat':
      return node.lastHeartbeatAt === null ? Number.MAX_SAFE_INTEGER : -Date.parse(node.lastHeartbeatAt)
  }
}
