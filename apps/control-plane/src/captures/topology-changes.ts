import type { SegmentStatus, SlotRange } from '@sonde/contracts'
import { slotsInBoth, slotsOfBoth, slotsWithout } from './slots.ts'

/** What of a segment decides how it follows the topology. */
export interface FollowedSegment {
  segmentNo: number
  targetId: string
  status: SegmentStatus
  reason: string | null
  role: 'primary' | 'replica'
  /** Those whose lines it has, or had when it ended. */
  slots: readonly SlotRange[]
  configEpoch: number | null
  /** Whether it came after the start. */
  isJoiner: boolean
}

/** What of a target does; `isAble`: a node can read it now. */
export interface FollowedTarget {
  id: string
  role: 'primary' | 'replica'
  health: 'healthy' | 'suspect' | 'unhealthy'
  shard: string | null
  slots: readonly SlotRange[]
  configEpoch: number | null
  isAble: boolean
}

export interface TopologyChanges {
  /** Segments whose target is no more what it was: they end, `role_changed`. */
  leaves: number[]
  /** Targets that get a segment, in the order of their numbers, each with the segments that it continues. */
  joins: { targetId: string; segmentNo: number; peers: number[] }[]
  /** Slots that went from one segment that is there to another. */
  moves: { from: number; to: number; slots: SlotRange[] }[]
  /** Segments whose slots are others now. */
  owners: { segmentNo: number; slots: SlotRange[]; configEpoch: number | null }[]
}

export interface TopologyView {
  segments: readonly FollowedSegment[]
  /** Of the session. */
  targets: readonly FollowedTarget[]
  /** Ids of those that the scope means now. */
  wanted: ReadonlySet<string>
  /** Whether there is time and budget for another segment. */
  mayJoin: boolean
}

/** Clusters have about 1,000 members at most; what fails over for ever ends here. */
const MAX_SEGMENTS = 1024

const isReading = (status: SegmentStatus): boolean =>
  status === 'pending' || status === 'opening' || status === 'running'
/** Final without a hole: what came after its own end is no seam of it. */
const isWhole = (status: SegmentStatus): boolean => status === 'completed' || status === 'truncated'
const epochOf = ({ configEpoch }: { configEpoch: number | null }): number => configEpoch ?? -1

/** Reasons after which a target may come back, once an election or a migration has made it an owner anew. */
const MAY_RETURN = new Set(['source_closed', 'source_error', 'collector_lost'])

const joinsNow = (target: FollowedTarget, last: FollowedSegment | undefined): boolean => {
  if (last === undefined) return true
  if (isReading(last.status)) return false
  if (last.reason === 'role_changed') return true
  if (last.status === 'skipped' && last.isJoiner && last.reason !== 'target_busy') return target.isAble
  return (last.status === 'skipped' || MAY_RETURN.has(last.reason ?? '')) && epochOf(target) > epochOf(last)
}

/**
 * What a running capture must do to hold again what its scope means: a pure function of its segments and of what is known of
 * the targets. Done, it has nothing more to do, so of any number of callers one changes something. A slot belongs to whom
 * claims it with the higher config epoch, as in the cluster itself, so an older view of another node takes nothing back.
 */
export const topologyChanges = ({ segments, targets, wanted, mayJoin }: TopologyView): TopologyChanges => {
  const held = new Map(segments.map((segment) => [segment.segmentNo, segment.slots]))
  const epochs = new Map(segments.map((segment) => [segment.segmentNo, epochOf(segment)]))
  const lastOf = new Map(segments.map((segment) => [segment.targetId, segment]))
  const changes: TopologyChanges = { leaves: [], joins: [], moves: [], owners: [] }
  const touched = new Set<number>()
  let nextNo = Math.max(-1, ...segments.map((segment) => segment.segmentNo)) + 1

  const present = targets.filter((target) => target.health !== 'unhealthy').toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const targetById = new Map(present.map((target) => [target.id, target]))
  /** Of the slots of a segment those that its own target still claims, at this epoch or a later one. */
  const claimedBy = (other: FollowedSegment, theirs: readonly SlotRange[], epoch: number): readonly SlotRange[] => {
    const owner = targetById.get(other.targetId)
    const isLast = lastOf.get(other.targetId) === other
    return owner && isLast && epochOf(owner) >= epoch ? slotsInBoth(theirs, owner.slots) : []
  }
  for (const target of present.filter(({ id }) => wanted.has(id))) {
    const last = lastOf.get(target.id)
    const joins = joinsNow(target, last)
    if (joins && (!mayJoin || nextNo >= MAX_SEGMENTS)) continue
    const segmentNo = last === undefined || joins ? nextNo : last.segmentNo
    if (joins) nextNo += 1
    let gained = slotsWithout(target.slots, joins ? [] : (held.get(segmentNo) ?? []))
    const peers: number[] = []
    for (const other of gained.length === 0 ? [] : segments) {
      if (other.segmentNo === segmentNo) continue
      const theirs = held.get(other.segmentNo) ?? []
      // What a target's own earlier segment has, a further one of it takes at the same epoch.
      if (other.targetId !== target.id) {
        gained = slotsWithout(gained, claimedBy(other, theirs, epochOf(target)))
        if (epochOf(target) <= (epochs.get(other.segmentNo) ?? -1)) {
          gained = slotsWithout(gained, theirs)
          continue
        }
      }
      const slots = slotsInBoth(theirs, gained)
      if (slots.length === 0) continue
      held.set(other.segmentNo, slotsWithout(theirs, slots))
      touched.add(other.segmentNo)
      if (joins) {
        if (!isWhole(other.status)) peers.push(other.segmentNo)
      } else if (last !== undefined && isReading(last.status)) {
        changes.moves.push({ from: other.segmentNo, to: segmentNo, slots })
      }
    }
    if (joins) changes.joins.push({ targetId: target.id, segmentNo, peers })
    else if (gained.length > 0) {
      held.set(segmentNo, slotsOfBoth(held.get(segmentNo) ?? [], gained))
      epochs.set(segmentNo, Math.max(epochOf(target), epochs.get(segmentNo) ?? -1))
      touched.add(segmentNo)
    }
  }

  for (const { segmentNo, targetId, status, role } of segments) {
    const target = targetById.get(targetId)
    if (!target || !isReading(status) || target.role === role) continue
    // A primary leaves when its slots are known to be another's: until then the change is seen in part.
    if ((held.get(segmentNo) ?? []).length > 0) continue
    changes.leaves.push(segmentNo)
    for (const join of changes.joins) {
      const joined = targetById.get(join.targetId)
      if (joined?.role === 'replica' && joined.shard !== null && joined.shard === target.shard)
        join.peers.push(segmentNo)
    }
  }
  for (const segmentNo of [...touched].toSorted((a, b) => a - b)) {
    const epoch = epochs.get(segmentNo) ?? -1
    changes.owners.push({ segmentNo, slots: [...(held.get(segmentNo) ?? [])], configEpoch: epoch < 0 ? null : epoch })
  }
  return changes
}

/** Whether there is anything to do. */
export const isChange = ({ leaves, joins, owners }: TopologyChanges): boolean =>
  leaves.length > 0 || joins.length > 0 || owners.length > 0
