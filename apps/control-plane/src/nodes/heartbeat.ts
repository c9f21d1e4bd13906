import { CAPTURE_LIMITS, type HeartbeatInput, type HeartbeatResult } from '@sonde/contracts'
import { databaseErrorOf } from '@sonde/database'
import { requireOwnToken, type Principal } from '../core/authenticate.ts'
import { createGroupCommit } from '../core/group-commit.ts'
import type { Resources } from '../core/resources.ts'
import { renewedCredential } from './credential.ts'
import { isReadOnly } from './floor.ts'
import { fenced, permissionDenied } from './refusal.ts'
import { drainModeOf } from './scheduling.ts'
import { readRefusalCauses, writeBeats, type AcceptedBeat, type Beat, type RefusalCause } from './store-beats.ts'

/** A row that changed under the statement is judged again; a third miss in a row would need a third writer in 10 ms. */
const MOST_TRIES = 3

type Verdict = { kind: 'accepted'; beat: AcceptedBeat } | { kind: 'refused'; cause: RefusalCause | 'contended' }

/**
 * Records that a node is alive. Beats that arrive within a few milliseconds share one statement. Throws
 * `runtimenode.fenced` to an older incarnation of the caller's own node, else the uniform `runtimenode.permission_denied`;
 * the cause of that goes to the log only; `auth.token_bound` to another node's token. Not subject to the version floor. To a
 * credential past half of its life a new one is answered.
 */
export const heartbeat = async ({
  resources,
  principal,
  input,
}: {
  resources: Resources
  principal: Principal
  input: HeartbeatInput
}): Promise<HeartbeatResult> => {
  const { nodeId, healthState } = input
  requireOwnToken(principal, nodeId)
  const verdict = await groupOf(resources)({
    nodeId,
    callerId: principal.participantId,
    onlySessionId: principal.onlySessionId,
    attachmentId: input.attachmentId ?? null,
    epoch: input.epoch ?? null,
    health: healthState,
  })
  if (verdict.kind === 'refused') {
    const { cause } = verdict
    resources.metrics.heartbeats.inc({ outcome: cause === 'fenced' ? 'fenced' : 'refused' })
    resources.log.warn({ nodeId, epoch: input.epoch, cause }, 'a heartbeat was refused')
    throw cause === 'fenced' ? fenced(nodeId) : permissionDenied()
  }
  resources.metrics.heartbeats.inc({ outcome: 'accepted' })
  const { state, epoch, clientVersion, floor, marks, now } = verdict.beat
  const drain = drainModeOf(marks, now)
  const credential = await renewedCredential(resources, principal)
  return {
    state,
    liveness: healthState,
    readOnly: isReadOnly(clientVersion, floor),
    epoch,
    nextHeartbeatMs: resources.config.liveness.heartbeatMs,
    creditBytes: CAPTURE_LIMITS.creditBytes,
    ...(drain && { drain }),
    ...(credential && { credential }),
  }
}

/** One group a process: `Resources` is built once. */
const groups = new WeakMap<Resources, (beat: Beat) => Promise<Verdict>>()

const groupOf = (resources: Resources): ((beat: Beat) => Promise<Verdict>) => {
  const known = groups.get(resources)
  if (known) return known
  const submit = createGroupCommit<Beat, Verdict>({
    clock: resources.clock,
    commit: (beats) => judge(resources, beats),
  })
  groups.set(resources, submit)
  return submit
}

const judge = async (resources: Resources, beats: Beat[]): Promise<Verdict[]> => {
  const verdicts = beats.map((): Verdict => ({ kind: 'refused', cause: 'contended' }))
  let open = beats.map((_, at) => at)
  const refused: number[] = []
  for (let tries = 0; open.length > 0 && tries < MOST_TRIES; tries += 1) {
    const accepted = await writeRetrying(
      resources,
      open.map((at) => beats[at]!),
    )
    const byPlace = new Map(accepted.map((beat) => [beat.at, beat]))
    const again: number[] = []
    open.forEach((at, place) => {
      const beat = byPlace.get(place)
      if (!beat) refused.push(at)
      else if (beat.written) verdicts[at] = { kind: 'accepted', beat }
      else again.push(at)
    })
    open = again
  }
  const causes =
    refused.length === 0
      ? []
      : await readRefusalCauses(
          resources.beatsDb,
          refused.map((at) => beats[at]!),
        )
  refused.forEach((at, place) => {
    verdicts[at] = { kind: 'refused', cause: causes[place] ?? 'contended' }
  })
  return verdicts
}

/** Two replicas that write the same nodes in different orders can deadlock; the victim goes again. */
const writeRetrying = (resources: Resources, beats: Beat[]): Promise<AcceptedBeat[]> => {
  const write = () => writeBeats(resources.beatsDb, beats, resources.replicaId)
  return write().catch((error: unknown) => {
    const code = databaseErrorOf(error)?.code
    if (code !== '40P01' && code !== '40001') throw error
    return write()
  })
}
