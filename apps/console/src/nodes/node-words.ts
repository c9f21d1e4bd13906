import type { AttachmentState, Blocker, Liveness, RosterNode } from '@sonde/contracts'
import type { Tone } from '../ui/mark.tsx'

/** Why a node is given no new work, and what would change that. */
export const BLOCKER_WORDS: Record<Blocker, string> = {
  not_online: 'not online',
  stale: 'no recent heartbeat',
  read_only: 'below the version floor',
  not_declared: 'has not said what it can do',
  owner_inactive: 'its owner is no active member',
  cordoned: 'cordoned',
  draining: 'draining',
}

export const STATE_TONE: Record<AttachmentState, Tone> = {
  registering: 'busy',
  online: 'good',
  degraded: 'warn',
  offline: 'off',
  revoked: 'bad',
}

export const LIVENESS_TONE: Record<Liveness, Tone> = { online: 'good', degraded: 'warn', offline: 'bad' }

/** The node's version against the session's floor, in words. */
export const versionWords = (node: RosterNode, floor: string | null): string => {
  if (node.versionMalformed) return 'unreadable, so read-only'
  if (floor === null) return 'no floor'
  return node.readOnly ? `below floor ${floor}: read-only` : `floor ${floor}`
}
