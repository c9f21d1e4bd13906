import { CAPTURE_LIMITS, samplingSchema, scopeSchema, type SlotMove } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import { listTargets } from '../targets/index.ts'
import { announce } from './advance.ts'
import { claimTarget, openSegments } from './claim-target.ts'
import { sentKinds, writeCommand } from './commands.ts'
import { storeSeam } from './gap-store.ts'
import { pickNodes, targetsInScope, type FollowedScope, type PlannedTarget } from './plan.ts'
import { lockCapture, peekCapture, remainingOf, type LockedCapture } from './segment-store.ts'
import { listFollowing, setSlots, type Db, type SegmentRow } from './store.ts'
import { isChange, topologyChanges, type FollowedSegment, type TopologyChanges } from './topology-changes.ts'

/** How often topologies are looked at besides each declaration, in milliseconds: a replica may die before it looked. */
const SWEEP_MS = 2_000

const followedScopeOf = ({ capture }: LockedCapture): FollowedScope | undefined => {
  const scope = scopeSchema.parse(capture.scope)
  const isFollowed = capture.status === 'running' && capture.follow_topology && capture.stop_requested_at === null
  return isFollowed && capture.begin_at !== null && scope.kind !== 'targets' ? scope : undefined
}

/** What is left of the capture's time for a segment that begins now, in whole milliseconds. */
const msLeft = ({ capture, now }: LockedCapture): number =>
  (capture.begin_at?.getTime() ?? 0) + capture.duration_limit_ms - now.getTime()

const followed = (row: SegmentRow, { capture }: LockedCapture): FollowedSegment => ({
  segmentNo: row.segment_no,
  targetId: row.target_id,
  status: row.status,
  reason: row.termination_reason,
  role: row.role,
  slots: row.slots,
  configEpoch: row.config_epoch,
  isJoiner: row.created_at > capture.created_at,
})

interface Seen {
  changes: TopologyChanges
  plan: Map<string, PlannedTarget>
}

/** What the capture is to do now; undefined where it does not follow. */
const look = async ({ config }: Resources, db: Db, locked: LockedCapture): Promise<Seen | undefined> => {
  const scope = followedScopeOf(locked)
  if (!scope) return undefined
  const { session_id: sessionId } = locked.capture
  const targets = await listTargets(db, sessionId)
  const wanted = targetsInScope(scope, targets)
  const planned = await pickNodes(db, { sessionId, targets: wanted, liveness: config.liveness })
  const plan = new Map(planned.map((each) => [each.target.id, each]))
  const left = remainingOf(locked)
  const changes = topologyChanges({
    segments: locked.segments.map((segment) => followed(segment, locked)),
    targets: targets.map((target) => ({ ...target, isAble: plan.get(target.id)?.node !== undefined })),
    wanted: new Set(plan.keys()),
    mayJoin: left.bytes > 0 && left.lines > 0 && msLeft(locked) >= CAPTURE_LIMITS.durationMs.min,
  })
  return { changes, plan }
}

/**
 * Makes a running capture hold what its scope means now: new owners of slots get a segment, what has changed its role ends,
 * seams and moved slots are marked. Decided and done under the capture's lock, so of any number of calls at once, on any
 * replicas, one does it.
 */
const followTopology = async (resources: Resources, captureId: string): Promise<void> => {
  const peeked = await peekCapture(resources.db, captureId)
  const seen = peeked && (await look(resources, resources.db, peeked))
  if (!seen || !isChange(seen.changes)) return
  const nodes = new Set<string>()
  await inTransaction(resources.db, async (trx) => {
    nodes.clear()
    const locked = await lockCapture(trx, captureId)
    const now = locked && (await look(resources, trx, locked))
    if (locked && now) for (const node of await apply(resources, trx, { locked, ...now })) nodes.add(node)
  })
  announce(resources, captureId, nodes)
}

const apply = async (
  { config, log }: Resources,
  trx: Transaction<Schema>,
  { locked, changes, plan }: Seen & { locked: LockedCapture },
): Promise<Set<string>> => {
  const captureId = locked.capture.id
  const nodes = new Set<string>()
  for (const { targetId, segmentNo, peers } of changes.joins) {
    const planned = plan.get(targetId)
    if (!planned) throw new Error('a target joins that the scope does not mean')
    const outcome = await claimTarget(trx, { captureId, segmentNo, planned, lanes: config.captures.capturesPerTarget })
    for (const older of peers) await storeSeam(trx, { captureId, older, younger: segmentNo })
    log.info({ captureId, segmentNo, targetId, peers, outcome }, 'a target joined a running capture')
  }
  for (const { segmentNo, slots, configEpoch } of changes.owners) {
    const known = locked.segments.find((segment) => segment.segment_no === segmentNo)
    const at = locked.now.toISOString()
    const moves = changes.moves.flatMap(({ from, to, slots: moved }): SlotMove[] => {
      if (from === segmentNo) return [{ slots: moved, direction: 'out', peerSegmentNo: to, at }]
      return to === segmentNo ? [{ slots: moved, direction: 'in', peerSegmentNo: from, at }] : []
    })
    const slotMoves = [...((known?.slot_moves ?? []) as SlotMove[]), ...moves]
    await setSlots(trx, { captureId, segmentNo, slots, configEpoch, slotMoves })
  }
  for (const node of await openJoined(trx, captureId)) nodes.add(node)
  const sent = await sentKinds(trx, captureId)
  for (const segmentNo of changes.leaves) {
    const { node_id: nodeId } = locked.segments.find((segment) => segment.segment_no === segmentNo) ?? {}
    if (!nodeId || sent.has(`${segmentNo}:segment.stop`)) continue
    nodes.add(nodeId)
    await writeCommand(trx, nodeId, { kind: 'segment.stop', captureId, segmentNo, reason: 'role_changed' })
  }
  return nodes
}

/** Opens the segments that were just inserted, for the time and with the budget that are left. */
const openJoined = async (trx: Transaction<Schema>, captureId: string): Promise<Set<string>> => {
  const locked = await lockCapture(trx, captureId)
  const pending = locked?.segments.filter(({ status, slice_no: slice }) => status === 'pending' && slice < 0) ?? []
  if (!locked || pending.length === 0) return new Set()
  const { capture, segments } = locked
  const competitors = segments.filter(({ status }) => ['pending', 'opening', 'running'].includes(status)).length
  const settings = {
    durationMs: msLeft(locked),
    ...(capture.filter !== null && { filter: capture.filter }),
    ...(capture.sampling !== null && { sampling: samplingSchema.parse(capture.sampling) }),
    policyRevision: capture.policy_revision,
    policy: capture.policy as { level: string },
  }
  return openSegments(trx, locked, { pending, competitors, settings })
}

/** Follows in all running captures of a session, after a declaration. Never throws: what fails is done by the next sweep. */
export const followSession = async (resources: Resources, sessionId: string): Promise<void> => {
  try {
    for (const id of await listFollowing(resources.db, sessionId)) await followTopology(resources, id)
  } catch (error) {
    resources.log.warn({ err: error, sessionId }, 'a topology could not be followed; the next sweep tries again')
  }
}

/** Follows in all running captures, for declarations whose replica died before it did, and targets that nodes can read again. */
export const sweepTopology = (resources: Resources): Promise<void> =>
  loop({
    name: 'topology',
    intervalMs: SWEEP_MS,
    signal: resources.stopping,
    clock: resources.clock,
    log: resources.log,
    work: async () => {
      for (const id of await listFollowing(resources.db)) await followTopology(resources, id)
    },
  })
