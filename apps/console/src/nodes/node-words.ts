import type { AttachmentState, Blocker, Liveness, RosterNode, Transition } from '@sonde/contracts'
import type { Tone } from '../ui/mark.tsx'
import { shortId } from '../ui/units.ts'

/** The name that the daemon was given, else a short form of the node's id. Not yet safe to show. */
export const nodeName = ({ nodeId, capabilities }: RosterNode): string => {
  const { monitor } = capabilities
  const name = monitor !== null && typeof monitor === 'object' && 'name' in monitor ? monitor['name'] : undefined
  return typeof name === 'string' && name !== '' ? name : shortId(nodeId)
}

/** Why a node is given no new work. */
export const BLOCKER_WORDS: Record<Blocker, string> = {
  not_online: 'not online',
  stale: 'no recent heartbeat',
  read_only: 'below the version floor',
  not_declared: 'has not said what it can do',
  owner_inactive: 'its owner is no active member',
  cordoned: 'cordoned',
  draining: 'draining',
}

export const BLOCKERS = Object.keys(BLOCKER_WORDS) as Blocker[]

/** What would change that. */
export const BLOCKER_ADVICE: Record<Blocker, string> = {
  not_online: 'It has to attach, and say what it can do.',
  stale: 'See on its host whether the daemon runs and reaches the control plane.',
  read_only: 'Update the daemon; its version is below the floor of the session, or cannot be read.',
  not_declared: 'A daemon does that within seconds of its attach; its log says why not.',
  owner_inactive: 'An owner of the session has to make its owner an active member who may attach nodes.',
  cordoned: 'Uncordon lifts it.',
  draining: 'Uncordon calls it off.',
}

export const STATE_TONE: Record<AttachmentState, Tone> = {
  registering: 'busy',
  online: 'good',
  degraded: 'warn',
  offline: 'off',
  revoked: 'bad',
}

/** In the order of the life of a slot. */
export const STATES = Object.keys(STATE_TONE) as AttachmentState[]

export const LIVENESS_TONE: Record<Liveness, Tone> = { online: 'good', degraded: 'warn', offline: 'bad' }

/** The node's version against the session's floor, in words. */
export const versionWords = (node: RosterNode, floor: string | null): string => {
  if (node.versionMalformed) return 'unreadable, so read-only'
  if (floor === null) return 'no floor'
  return node.readOnly ? `below floor ${floor}: read-only` : `floor ${floor}`
}

/** What changed with a transition. */
export const AXIS_WORDS: Record<Transition['axis'], string> = {
  slot: 'state',
  liveness: 'liveness',
  scheduling: 'new work',
}
