import {
  CAPTURE_LIMITS,
  newId,
  SondeError,
  type Capture,
  type CaptureStartResult,
  type captureStartInput,
  type NodeCommandBody,
  type Role,
} from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import type { z } from 'zod'
import type { Resources } from '../core/resources.ts'
import { currentPolicy } from '../policies/index.ts'
import { requireAccess } from '../sessions/index.ts'
import type { TargetFacts } from '../targets/index.ts'
import { advance, announce } from './advance.ts'
import { nextSlice } from './budget.ts'
import { ensurePartition } from './partition.ts'
import { expiryAtStart } from './retention-store.ts'
import { writeCommand } from './commands.ts'
import { planCapture, requiredCount, type PlannedTarget } from './plan.ts'
import { grantSlice, lockCapture, remainingOf } from './segment-store.ts'
import { readSelection, type Selection } from './selection.ts'
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
  const selection = readSelection(input)
  const plan = await planCapture(db, { sessionId, scope: input.scope, liveness: config.liveness })
  requireEnough(plan, input.require)

  const { rows } = await sql<{ day: string }>`select (now() at time zone 'utc')::date as day`.execute(db)
  const partitionDay = rows[0]!.day
  await inTransaction(db, (trx) => ensurePartition(trx, partitionDay))
  const captureId = newId()
  const nodes = await inTransaction(db, async (trx) => {
    await requireAccess(trx, { sessionId, participantId, action: 'capture.start', live: true, lock: 'share' })
    const policy = await currentPolicy(trx, sessionId, config.captures.redactionDefault)
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
        filter: selection.filter ?? null,
        sampling: selection.sampling === undefined ? null : JSON.stringify(selection.sampling),
        policy_revision: policy.revision,
        policy: JSON.stringify(policy.rules),
        partition_day: partitionDay,
        expires_at: expiryAtStart(config.captures.retentionDays, input.durationMs),
      })
      .execute()
    await insertSegments(trx, { captureId, plan, lanes: config.captures.capturesPerTarget, require: input.require })
    const opened = { durationMs: input.durationMs, ...selection, policyRevision: policy.revision, policy: policy.rules }
    return openSegments(trx, captureId, opened)
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
  const required = requiredCount(require, plan.length)
  if (accepted >= required) return
  if (required > plan.length) {
    throw new SondeError('request.invalid', {
      message: `require: ${required} targets are required, and the scope has ${plan.length}. Nothing was started.`,
      details: { issues: [{ path: 'require', message: `must be at most ${plan.length}` }] },
    })
  }
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
  const busy: TargetFacts[] = []
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
    busy.push(target)
    await skip('target_busy')
  }
  const accepted = plan.filter((planned) => planned.node !== undefined).length - busy.length
  if (busy.length === 0 || accepted >= requiredCount(require, plan.length)) return
  throw await busyError(trx, busy)
}

/** Names who holds the targets: they are of the session that the caller starts in, and so are their captures. */
const busyError = async (trx: Transaction<Schema>, busy: TargetFacts[]): Promise<SondeError> => {
  const holders = await holdersOf(
    trx,
    busy.map(({ id }) => id),
  )
  const targets = busy.map(({ id, host, port }) => ({ targetId: id, host, port, heldBy: holders.get(id) ?? null }))
  // None is named when it has ended since: the table's words say what to do.
  const first = targets.find(({ heldBy }) => heldBy !== null)
  const message = first && `Capture ${first.heldBy} holds ${first.host}:${first.port}. Stop it, or wait for its end.`
  return new SondeError('capture.target_busy', { ...(message && { message }), details: { targets } })
}

type OpenCommand = Extract<NodeCommandBody, { kind: 'segment.open' }>

const { chunk, maxLineBytes } = CAPTURE_LIMITS

const openSegments = async (
  trx: Transaction<Schema>,
  captureId: string,
  wanted: Selection & Pick<OpenCommand, 'durationMs' | 'policyRevision' | 'policy'>,
): Promise<Set<string>> => {
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
      ...wanted,
      chunk: { ...chunk, maxLineBytes },
      slice,
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
