import {
  CAPTURE_LIMITS,
  newId,
  SondeError,
  type Capture,
  type CaptureStartResult,
  type captureStartInput,
  type Role,
} from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import type { z } from 'zod'
import type { Resources } from '../core/resources.ts'
import { requireAccess } from '../sessions/index.ts'
import { advance, announce } from './advance.ts'
import { nextSlice } from './budget.ts'
import { ensurePartition } from './partition.ts'
import { writeCommand } from './commands.ts'
import { planCapture, requiredCount, type PlannedTarget } from './plan.ts'
import { grantSlice, lockCapture, remainingOf } from './segment-store.ts'
import { findCapture, holdersOf } from './store.ts'

export type StartInput = z.output<typeof captureStartInput>

/** After the barrier the nodes have this long to say that they run before the start answers, in milliseconds. */
const SETTLE_MS = 1_000

/**
 * Starts a capture and answers when its segments run or the barrier has passed. Nothing is stored when the plan cannot be
 * met; when no target could be opened the capture ends `failed` and the caller gets the servers' words.
 */
export const startCapture = async (
  resources: Resources,
  participantId: string,
  input: StartInput,
): Promise<CaptureStartResult> => {
  const { db, config } = resources
  const { sessionId } = input
  const access = await requireAccess(db, { sessionId, participantId, action: 'capture.start', live: true })
  const caps = {
    bytes: input.byteCap ?? config.captures.defaultByteCap,
    lines: input.lineCap ?? config.captures.defaultLineCap,
  }
  requireWithinRole(access.role, { durationMs: input.durationMs, byteCap: caps.bytes, lineCap: caps.lines })
  const plan = await planCapture(db, { sessionId, scope: input.scope, liveness: config.liveness })
  requireEnough(plan, input.require)

  const { rows } = await sql<{ day: string }>`select (now() at time zone 'utc')::date as day`.execute(db)
  const partitionDay = rows[0]!.day
  await inTransaction(db, (trx) => ensurePartition(trx, partitionDay))
  const captureId = newId()
  const nodes = await inTransaction(db, async (trx) => {
    await requireAccess(trx, { sessionId, participantId, action: 'capture.start', live: true, lock: 'share' })
    await trx
      .insertInto('captures')
      .values({
        id: captureId,
        session_id: sessionId,
        source: 'manual',
        requested_by: participantId,
        reason_text: input.reason ?? null,
        scope: JSON.stringify(input.scope),
        require: JSON.stringify(input.require),
        duration_limit_ms: input.durationMs,
        byte_cap: caps.bytes,
        line_cap: caps.lines,
        partition_day: partitionDay,
      })
      .execute()
    await insertSegments(trx, { captureId, plan, lanes: config.captures.capturesPerTarget, require: input.require })
    return openSegments(trx, captureId, input.durationMs)
  })
  announce(resources, captureId, nodes)
  const capture = await waitForBarrier(resources, captureId)
  return { capture, coverage: coverageOf(capture) }
}

const requireWithinRole = (role: Role, wanted: Record<'durationMs' | 'byteCap' | 'lineCap', number>): void => {
  if (role === 'owner') return
  for (const [name, value] of Object.entries(wanted) as [keyof typeof wanted, number][]) {
    const { operator } = CAPTURE_LIMITS[name]
    if (value > operator) {
      throw new SondeError('request.invalid', {
        message: `${name} is above what an operator may ask for: ${value} > ${operator}. An owner may ask for more.`,
        details: { issues: [{ path: name, message: `at most ${operator}` }] },
      })
    }
  }
}

/** Refuses a plan that cannot meet the requirement, before anything is stored. */
const requireEnough = (plan: PlannedTarget[], require: StartInput['require']): void => {
  const accepted = plan.filter((planned) => planned.node !== undefined).length
  if (accepted >= requiredCount(require, plan.length)) return
  const missing = plan
    .filter((planned) => planned.node === undefined)
    .map(({ target, skipped }) => ({ targetId: target.id, host: target.host, port: target.port, reason: skipped }))
  const words = missing.slice(0, 3).map(({ host, port, reason }) => `${host}:${port} ${reason}`)
  throw new SondeError('fanout.quorum_not_met', {
    message: `Only ${accepted} of ${plan.length} targets can be captured now (${words.join(', ')}). Nothing was started.`,
    details: { accepted, planned: plan.length, missing },
  })
}

/**
 * Claims the targets: the insert is the claim, and the partial unique index on (target, lane) decides between starts at
 * once, on any replica. In the order of target ids, so that two starts over the same targets cannot deadlock.
 */
const insertSegments = async (
  trx: Transaction<Schema>,
  request: { captureId: string; plan: PlannedTarget[]; lanes: number; require: StartInput['require'] },
): Promise<void> => {
  const { captureId, plan, lanes, require } = request
  const busy: string[] = []
  const ordered = plan.toSorted((a, b) => (a.target.id < b.target.id ? -1 : 1))
  for (const [segmentNo, { target, node, skipped }] of ordered.entries()) {
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
      continue
    }
    let claimed = false
    for (let lane = 0; lane < lanes && !claimed; lane += 1) {
      const inserted = await trx
        .insertInto('capture_segments')
        .values({ ...row, lane, node_id: node.nodeId, attachment_epoch: node.epoch, status: 'pending' })
        .onConflict((conflict) =>
          conflict.columns(['target_id', 'lane']).where('status', 'in', ['pending', 'opening', 'running']).doNothing(),
        )
        .returning('segment_no')
        .executeTakeFirst()
      claimed = inserted !== undefined
    }
    if (claimed) continue
    busy.push(target.id)
    await skip('target_busy')
  }
  const accepted = plan.filter((planned) => planned.node !== undefined).length - busy.length
  if (busy.length === 0 || accepted >= requiredCount(require, plan.length)) return
  const holders = await holdersOf(trx, busy)
  throw new SondeError('capture.target_busy', {
    details: { targets: busy.map((targetId) => ({ targetId, heldBy: holders.get(targetId) ?? null })) },
  })
}

const { chunk, maxLineBytes } = CAPTURE_LIMITS

const openSegments = async (trx: Transaction<Schema>, captureId: string, durationMs: number): Promise<Set<string>> => {
  const nodes = new Set<string>()
  const locked = await lockCapture(trx, captureId)
  const pending = locked?.segments.filter((segment) => segment.status === 'pending') ?? []
  for (const segment of pending) {
    if (!locked || segment.node_id === null) continue
    const slice = nextSlice(remainingOf(locked), pending.length, 0)
    await grantSlice(trx, segment, slice)
    nodes.add(segment.node_id)
    await writeCommand(trx, segment.node_id, {
      kind: 'segment.open',
      captureId,
      segmentNo: segment.segment_no,
      targetId: segment.target_id,
      durationMs,
      chunk: { ...chunk, maxLineBytes },
      slice,
      policyRevision: 0,
    })
  }
  return nodes
}

const waitForBarrier = async (resources: Resources, captureId: string): Promise<Capture> => {
  const { db, events, clock, stopping } = resources
  using watch = events.watch('captures', captureId)
  const deadline = clock.monotonicMs() + CAPTURE_LIMITS.barrierMs + SETTLE_MS
  for (;;) {
    const capture = await findCapture(db, captureId)
    if (!capture) throw new SondeError('capture.not_found')
    const settled = capture.segments.every(({ status }) => status !== 'pending' && status !== 'opening')
    if (capture.status === 'failed') throw startFailure(capture)
    const left = deadline - clock.monotonicMs()
    if (settled || left <= 0 || stopping.aborted) return capture
    await watch.wait(Math.min(left, SETTLE_MS), stopping)
    await advance(resources, captureId)
  }
}

/** Why no capture came of a start, in the words of the first server that refused. */
const startFailure = (capture: Capture): SondeError => {
  const segments = capture.segments.map(
    ({ targetId, targetHost, targetPort, terminationReason, terminationDetail }) => ({
      targetId,
      target: `${targetHost}:${targetPort}`,
      reason: terminationReason,
      detail: terminationDetail,
    }),
  )
  const refused = segments.find((segment) => segment.reason === 'monitor_open_failed')
  const details = { captureId: capture.id, segments }
  const quorum = segments.some((segment) => segment.reason === 'quorum_not_met')
  if (!quorum && refused) {
    return new SondeError('capture.monitor_open_failed', {
      message: `No target could be opened for capture. ${refused.target}: ${refused.detail ?? 'refused'}`,
      details,
    })
  }
  const words = refused ? ` ${refused.target}: ${refused.detail ?? 'refused'}` : ''
  return new SondeError('fanout.quorum_not_met', {
    message: `Fewer targets could be opened than the start required. Nothing was kept.${words}`,
    details,
  })
}

const coverageOf = (capture: Capture): CaptureStartResult['coverage'] => {
  const missing = capture.segments.filter(
    ({ status }) => status === 'skipped' || status === 'failed' || status === 'lost',
  )
  return {
    requested: capture.segments.length,
    accepted: capture.segments.length - missing.length,
    missing: missing.map(({ targetId, terminationReason, terminationDetail }) => ({
      targetId,
      reason: terminationReason ?? 'unknown',
      detail: terminationDetail,
    })),
  }
}
