import {
  ACTIVE_STATES,
  mayDo,
  SondeError,
  uuidSchema,
  type LivenessSettings,
  type Roster,
  type RosterNode,
} from '@sonde/contracts'
import { z } from 'zod'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { floorVerdict } from './floor.ts'
import { hostsOf } from './clone-alarm.ts'
import { livenessHeld, livenessOf } from './liveness.ts'
import { permissionDenied } from './refusal.ts'
import { blockersOf } from './schedulable.ts'
import { schedulingOf, shownMarks } from './scheduling.ts'
import { readRoster, type RosterCursor, type RosterRow } from './store-roster.ts'

/**
 * The nodes of a session as its members see them, by first attach. Throws the uniform `runtimenode.permission_denied` for
 * an unknown session and to a caller who is no member. Writes nothing.
 */
export const roster = async ({
  resources,
  principal,
  input,
}: {
  resources: Resources
  principal: Principal
  input: { sessionId: string; includeEnded: boolean; limit: number; cursor?: string | undefined }
}): Promise<Roster> => {
  const { sessionId, includeEnded, limit } = input
  const rows = await readRoster(resources.db, {
    sessionId,
    callerId: principal.participantId,
    includeEnded,
    limit: limit + 1,
    after: input.cursor === undefined ? undefined : parseCursor(input.cursor),
  })
  if (!rows) throw permissionDenied()
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    nodes: page.map((row) => toNode(row, resources.config.liveness)),
    nextCursor: last ? `${last.attachedAtUs}.${last.attachmentId}` : null,
  }
}

const cursorSchema = z.tuple([z.string().regex(/^\d{1,16}$/), uuidSchema])

const parseCursor = (cursor: string): RosterCursor => {
  const parsed = cursorSchema.safeParse(cursor.split('.'))
  if (!parsed.success) {
    throw new SondeError('request.invalid', { message: 'The cursor is not one that this call has answered.' })
  }
  const [attachedAtUs, attachmentId] = parsed.data
  return { attachedAtUs: Number(attachedAtUs), attachmentId }
}

/** A row as the wire shows it. The stored verdict and the derived one stand side by side, and neither replaces the other (I-003-10). */
export const toNode = (row: RosterRow, settings: LivenessSettings): RosterNode => {
  const { nodeId, participantId, attachmentId, state, epoch, clientVersion, declared } = row
  const ended = !ACTIVE_STATES.some((active) => active === state)
  const facts = { ...row, ended }
  const liveness = livenessOf(facts, settings)
  const verdict = floorVerdict(clientVersion, row.floor)
  const readOnly = verdict !== 'open'
  const ownerActive = row.ownerState === 'active' && row.ownerRole !== null && mayDo(row.ownerRole, 'node.attach')
  const scheduling = schedulingOf(row)
  const blockers = blockersOf({ state, liveness, readOnly, declared, ownerActive, scheduling })
  const lastHeartbeatAt = ended ? row.finalHeartbeatAt : row.lastHeartbeatAt
  return {
    nodeId,
    participantId,
    attachmentId,
    state,
    healthState: row.healthState,
    liveness,
    livenessHeld: livenessHeld(facts, settings),
    lastHeartbeatAt: lastHeartbeatAt?.toISOString() ?? null,
    readOnly,
    versionMalformed: floorVerdict(clientVersion, null) === 'version_malformed',
    capabilities: row.capabilities as RosterNode['capabilities'],
    clientVersion,
    attachedAt: row.attachedAt.toISOString(),
    lastAttachedAt: row.lastAttachedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    epoch,
    host: row.host,
    cloneAlarm: row.clonesAt ? { hosts: hostsOf(row.clones), at: row.clonesAt.toISOString() } : null,
    ...shownMarks(row, row.now),
    access: ownerActive ? 'ok' : 'owner_inactive',
    schedulable: blockers.length === 0,
    blockers,
  }
}
