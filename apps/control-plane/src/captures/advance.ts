import { CAPTURE_LIMITS, requireSchema } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import { leaseHolders } from '../nodes/index.ts'
import { nextSlice } from './budget.ts'
import { sentKinds, writeCommand } from './commands.ts'
import { captureStatusOf, captureTermination, isLive } from './lifecycle.ts'
import { requiredCount } from './plan.ts'
import { changeSegment, grantSlice, lockCapture, remainingOf, type LockedCapture } from './segment-store.ts'
import { listRunning, type SegmentRow } from './store.ts'

/** How often captures that are not final are looked at, in milliseconds. */
const SWEEP_MS = 1_000
/** Past its duration, its barrier and the time in which a silent node counts as offline, a capture gets this much more. */
const GRACE_MS = 60_000

/** Takes a capture one step further, whatever the step is; see {@link advanceLocked}. Wakes who waits for it. */
export const advance = async (resources: Resources, captureId: string): Promise<void> => {
  const nodes = new Set<string>()
  await inTransaction(resources.db, async (trx) => {
    nodes.clear()
    const locked = await lockCapture(trx, captureId)
    if (locked) for (const nodeId of await advanceLocked(resources, trx, locked)) nodes.add(nodeId)
  })
  announce(resources, captureId, nodes)
}

/** Wakes the waiters of a capture and the lanes of nodes that have new commands; call it after the commit. */
export const announce = (resources: Resources, captureId: string, nodes: Iterable<string>): void => {
  for (const nodeId of nodes) resources.events.publish('commands', nodeId)
  resources.events.publish('captures', captureId)
}

/**
 * One idempotent step of a locked capture: seals what is lost, passes on a stop, opens the barrier, shares out returned
 * budget, and ends the capture when its last segment is final. Everything is read from rows, so any replica finishes what
 * another began. Answers the nodes that have new commands.
 */
export const advanceLocked = async (
  resources: Resources,
  trx: Transaction<Schema>,
  locked: LockedCapture,
): Promise<Set<string>> => {
  const nodes = new Set<string>()
  if (locked.capture.status !== 'running') return nodes
  await sealLost(resources, trx, locked)
  const step: Step = { resources, trx, locked, nodes, sent: await sentKinds(trx, locked.capture.id) }
  if (locked.capture.stop_requested_at) await passOnStop(step)
  await openBarrier(step)
  await shareOut(step)
  await endCapture(trx, locked)
  return nodes
}

interface Step {
  resources: Resources
  trx: Transaction<Schema>
  locked: LockedCapture
  nodes: Set<string>
  sent: Set<string>
}

const sealLost = async ({ config, log }: Resources, trx: Transaction<Schema>, locked: LockedCapture) => {
  const { capture, segments, now } = locked
  const live = segments.filter((segment) => isLive(segment.status))
  const claims = live.flatMap(({ node_id: nodeId, attachment_epoch: epoch }) =>
    nodeId !== null && epoch !== null ? [{ nodeId, epoch }] : [],
  )
  const held = await leaseHolders(trx, claims, config.liveness)
  const latest =
    capture.created_at.getTime() +
    capture.duration_limit_ms +
    CAPTURE_LIMITS.barrierMs +
    config.liveness.offlineAfterMs +
    GRACE_MS
  for (const segment of live) {
    const silent = !held.has(`${segment.node_id}:${segment.attachment_epoch}`)
    if (!silent && now.getTime() <= latest) continue
    const detail = silent ? 'the node fell silent' : 'the segment did not end by itself within its time'
    await changeSegment(trx, segment, { event: 'lost', reason: 'collector_lost', detail, storage: 'incomplete' })
    log.warn({ captureId: capture.id, segmentNo: segment.segment_no, nodeId: segment.node_id }, 'segment lost')
  }
}

/** Sends a segment's node a command of a kind that is sent once. */
const sendOnce = async (
  { trx, nodes, sent }: Step,
  segment: SegmentRow,
  command:
    | { kind: 'segment.begin' }
    | { kind: 'segment.stop'; reason: 'manual_stop' }
    | { kind: 'segment.discard'; why: string },
): Promise<void> => {
  const key = `${segment.segment_no}:${command.kind}`
  if (segment.node_id === null || sent.has(key)) return
  sent.add(key)
  nodes.add(segment.node_id)
  await writeCommand(trx, segment.node_id, {
    ...command,
    captureId: segment.capture_id,
    segmentNo: segment.segment_no,
  })
}

const passOnStop = async (step: Step) => {
  for (const segment of step.locked.segments) {
    if (segment.status === 'closing' || !isLive(segment.status)) continue
    await sendOnce(step, segment, { kind: 'segment.stop', reason: 'manual_stop' })
  }
}

/** When all have opened, or the barrier has passed, every opened segment begins; one that opens later begins at once. */
const openBarrier = async (step: Step) => {
  const { trx, locked } = step
  const { capture, segments, now } = locked
  const opening = segments.filter((segment) => segment.status === 'opening')
  const pending = segments.filter((segment) => segment.status === 'pending')
  if (capture.begin_at === null) {
    const passed = now.getTime() >= capture.created_at.getTime() + CAPTURE_LIMITS.barrierMs
    if (pending.length > 0 && !passed) return
    if (opening.length + pending.length === 0) return
    if (opening.length < requiredCount(requireSchema.parse(capture.require), segments.length)) {
      for (const segment of [...opening, ...pending]) {
        await sendOnce(step, segment, { kind: 'segment.discard', why: 'quorum not met' })
        await changeSegment(trx, segment, { event: 'refused', reason: 'quorum_not_met' })
      }
      return
    }
    await trx
      .updateTable('captures')
      .set({ begin_at: sql`clock_timestamp()` })
      .where('id', '=', capture.id)
      .execute()
  }
  for (const segment of opening) await sendOnce(step, segment, { kind: 'segment.begin' })
}

/** Gives segments that were told "nothing is left" what other segments have returned since. */
const shareOut = async (step: Step) => {
  const { trx, locked, nodes } = step
  for (const segment of locked.segments) {
    if (segment.status !== 'running' || segment.node_id === null) continue
    const left = remainingOf(locked)
    if (!(segment.last_bytes && left.bytes > 0) && !(segment.last_lines && left.lines > 0)) continue
    await grantNext(trx, locked, segment)
    nodes.add(segment.node_id)
  }
}

/** Grants a locked segment its next slice and tells its node. */
export const grantNext = async (
  trx: Transaction<Schema>,
  locked: LockedCapture,
  segment: SegmentRow,
): Promise<void> => {
  if (segment.node_id === null) return
  const competitors = locked.segments.filter((each) => isLive(each.status) && each.status !== 'closing').length
  const slice = nextSlice(remainingOf(locked), competitors, segment.slice_no + 1)
  await grantSlice(trx, segment, slice)
  const { capture_id: captureId, segment_no: segmentNo } = segment
  await writeCommand(trx, segment.node_id, { kind: 'segment.grant', captureId, segmentNo, slice })
}

const endCapture = async (trx: Transaction<Schema>, { capture, segments }: LockedCapture) => {
  const begun = segments.flatMap((segment) => segment.begun_at ?? [])
  const startedAt = begun.length > 0 ? new Date(Math.min(...begun.map(Number))) : null
  const status = captureStatusOf(segments.map((segment) => segment.status))
  if (status === 'running') {
    if (capture.started_at !== null || startedAt === null) return
    await trx.updateTable('captures').set({ started_at: startedAt }).where('id', '=', capture.id).execute()
    return
  }
  const { reason, detail } = captureTermination(
    segments.map((segment) => ({
      status: segment.status,
      reason: segment.termination_reason,
      detail: segment.termination_detail,
    })),
  )
  const endedAt = new Date(Math.max(...segments.map((segment) => Number(segment.ended_at ?? capture.created_at))))
  await trx
    .updateTable('captures')
    .set({
      status,
      started_at: startedAt,
      ended_at: endedAt,
      duration_ms: endedAt.getTime() - (startedAt ?? endedAt).getTime(),
      termination_reason: reason,
      termination_detail: detail,
    })
    .where('id', '=', capture.id)
    .execute()
}

/** Takes every capture that is not final one step further, each second, so that none stays `running` for ever. */
export const sweepCaptures = (resources: Resources): Promise<void> =>
  loop({
    name: 'captures',
    intervalMs: SWEEP_MS,
    signal: resources.stopping,
    clock: resources.clock,
    log: resources.log,
    work: async () => {
      for (const id of await listRunning(resources.db)) await advance(resources, id)
    },
  })
