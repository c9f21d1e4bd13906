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
import { currentPolicy } from '../policies/index.ts'
import { requireAccess } from '../sessions/index.ts'
import type { TargetFacts } from '../targets/index.ts'
import { advance, announce } from './advance.ts'
import { claimTarget, openSegments } from './claim-target.ts'
import { ensurePartition } from './partition.ts'
import { planCapture, requiredCount, type PlannedTarget } from './plan.ts'
import { expiryAtStart } from './retention-store.ts'
import { lockCapture } from './segment-store.ts'
import { readSelection } from './selection.ts'
import { claimStartKey, findStarted, startKeyOf, type StartKey } from './start-key.ts'
import { coverageOf, startFailure } from './start-outcome.ts'
import { findCapture, holdersOf } from './store.ts'

export type StartInput = z.output<typeof captureStartInput>

/** After the barrier the nodes have this long to say that they run before the start answers, in milliseconds. */
const SETTLE_MS = 1_000

/**
 * Starts a capture and answers when its segments run or the barrier has passed. Nothing is stored when the plan cannot be
 * met; when no target could be opened the capture ends `failed` and the caller gets the servers' words. A start that is
 * repeated with its key answers the capture that it made.
 */
export const startCapture = async (
  resources: Resources,
  participantId: string,
  input: StartInput,
): Promise<CaptureStartResult> => {
  const { db } = resources
  const { sessionId } = input
  const access = await requireAccess(db, { sessionId, participantId, action: 'capture.start', live: true })
  const key = startKeyOf(participantId, input)
  let captureId = key && (await findStarted(db, key))
  captureId ??= await insertCapture(resources, { participantId, role: access.role, input, key })
  // Another call took the key meanwhile: it is looked for again.
  if (captureId === undefined) return startCapture(resources, participantId, input)
  const capture = await waitForBarrier(resources, captureId)
  return { capture, coverage: coverageOf(capture) }
}

/** Plans and stores a capture and has its nodes open it. Undefined when its key is taken. */
const insertCapture = async (
  resources: Resources,
  request: { participantId: string; role: Role; input: StartInput; key: StartKey | undefined },
): Promise<string | undefined> => {
  const { db, config } = resources
  const { participantId, role, input, key } = request
  const { sessionId } = input
  const caps = {
    bytes: input.byteCap ?? config.captures.defaultByteCap,
    lines: input.lineCap ?? config.captures.defaultLineCap,
  }
  requireWithinRole(role, { durationMs: input.durationMs, byteCap: caps.bytes, lineCap: caps.lines })
  const selection = readSelection(input)
  const plan = await planCapture(db, { sessionId, scope: input.scope, liveness: config.liveness })
  requireEnough(plan, input.require)

  const { rows } = await sql<{ day: string }>`select (now() at time zone 'utc')::date as day`.execute(db)
  const partitionDay = rows[0]!.day
  await inTransaction(db, (trx) => ensurePartition(trx, partitionDay))
  const captureId = newId()
  const nodes = await inTransaction(db, async (trx) => {
    await requireAccess(trx, { sessionId, participantId, action: 'capture.start', live: true, lock: 'share' })
    if (key && !(await claimStartKey(trx, key, captureId))) return undefined
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
        follow_topology: input.followTopology,
        policy_revision: policy.revision,
        policy: JSON.stringify(policy.rules),
        partition_day: partitionDay,
        expires_at: expiryAtStart(config.captures.retentionDays, input.durationMs),
      })
      .execute()
    await insertSegments(trx, { captureId, plan, lanes: config.captures.capturesPerTarget, require: input.require })
    const locked = await lockCapture(trx, captureId)
    if (!locked) throw new SondeError('capture.not_found')
    const pending = locked.segments.filter((segment) => segment.status === 'pending')
    const { durationMs } = input
    const settings = { durationMs, ...selection, policyRevision: policy.revision, policy: policy.rules }
    return openSegments(trx, locked, { pending, competitors: pending.length, settings })
  })
  if (nodes === undefined) return undefined
  announce(resources, captureId, nodes)
  return captureId
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

/** Claims the targets in the order of their ids, so that two starts over the same targets cannot deadlock. */
const insertSegments = async (
  trx: Transaction<Schema>,
  request: { captureId: string; plan: PlannedTarget[]; lanes: number; require: StartInput['require'] },
): Promise<void> => {
  const { captureId, plan, lanes, require } = request
  const busy: TargetFacts[] = []
  const ordered = plan.toSorted((a, b) => (a.target.id < b.target.id ? -1 : 1))
  for (const [segmentNo, planned] of ordered.entries()) {
    const outcome = await claimTarget(trx, { captureId, segmentNo, planned, lanes })
    if (outcome === 'busy') busy.push(planned.target)
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

const waitForBarrier = async (resources: Resources, captureId: string): Promise<Capture> => {
  const { db, events, clock, stopping } = resources
  using watch = events.watch('captures', captureId)
  const deadline = clock.monotonicMs() + CAPTURE_LIMITS.barrierMs + SETTLE_MS
  for (;;) {
    const capture = await findCapture(db, captureId)
    if (!capture) throw new SondeError('capture.not_found')
    const settled = capture.segments.every(({ status }) => status !== 'pending' && status !== 'opening')
    if (capture.status === 'failed' && capture.startedAt === null) throw startFailure(capture)
    const left = deadline - clock.monotonicMs()
    if (settled || left <= 0 || stopping.aborted) return capture
    await watch.wait(Math.min(left, SETTLE_MS), stopping)
    await advance(resources, captureId)
  }
}
