import { CAPTURE_LIMITS, type NodeCommandBody } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { nextSlice } from './budget.ts'
import { writeCommand } from './commands.ts'
import type { PlannedTarget } from './plan.ts'
import { grantSlice, remainingOf, type LockedCapture } from './segment-store.ts'
import type { SegmentRow } from './store.ts'

/**
 * Inserts the segment of a planned target. The insert is the claim: the partial unique index on (target, lane) decides
 * between starts at once, on any replica. What cannot be claimed or has no node becomes a `skipped` segment with its reason.
 */
export const claimTarget = async (
  trx: Transaction<Schema>,
  segment: { captureId: string; segmentNo: number; planned: PlannedTarget; lanes: number },
): Promise<'claimed' | 'busy' | 'skipped'> => {
  const { captureId, segmentNo, planned, lanes } = segment
  const { target, node, skipped } = planned
  const row = {
    capture_id: captureId,
    segment_no: segmentNo,
    target_id: target.id,
    target_host: target.host,
    target_port: target.port,
    target_kind: target.kind,
    role: target.role,
    shard: target.shard,
    slots: JSON.stringify(target.slots),
    config_epoch: target.configEpoch,
  }
  const skip = async (reason: string) => {
    await trx
      .insertInto('capture_segments')
      .values({ ...row, status: 'skipped', termination_reason: reason, ended_at: sql<Date>`now()` })
      .execute()
  }
  if (!node) {
    await skip(skipped ?? 'no_capable_node')
    return 'skipped'
  }
  for (let lane = 0; lane < lanes; lane += 1) {
    const inserted = await trx
      .insertInto('capture_segments')
      .values({ ...row, lane, node_id: node.nodeId, attachment_epoch: node.epoch, status: 'pending' })
      .onConflict((conflict) =>
        conflict.columns(['target_id', 'lane']).where('status', 'in', ['pending', 'opening', 'running']).doNothing(),
      )
      .returning('segment_no')
      .executeTakeFirst()
    if (inserted !== undefined) return 'claimed'
  }
  await skip('target_busy')
  return 'busy'
}

type OpenCommand = Extract<NodeCommandBody, { kind: 'segment.open' }>
/** What is the same for all segments of a capture. */
export type OpenSettings = Pick<OpenCommand, 'durationMs' | 'policyRevision' | 'policy' | 'filter' | 'sampling'>

const { chunk, maxLineBytes } = CAPTURE_LIMITS

/** Grants claimed segments their first slice and tells their nodes to open them. Answers the nodes. */
export const openSegments = async (
  trx: Transaction<Schema>,
  locked: LockedCapture,
  request: { pending: readonly SegmentRow[]; competitors: number; settings: OpenSettings },
): Promise<Set<string>> => {
  const nodes = new Set<string>()
  for (const segment of request.pending) {
    if (segment.node_id === null) continue
    const slice = nextSlice(remainingOf(locked), request.competitors, 0)
    await grantSlice(trx, segment, slice)
    nodes.add(segment.node_id)
    await writeCommand(trx, segment.node_id, {
      kind: 'segment.open',
      captureId: segment.capture_id,
      segmentNo: segment.segment_no,
      targetId: segment.target_id,
      ...request.settings,
      chunk: { ...chunk, maxLineBytes },
      slice,
    })
  }
  return nodes
}
