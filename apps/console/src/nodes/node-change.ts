import type { OnDeadline, RosterNode } from '@sonde/contracts'
import { rpc } from '../api.ts'
import { inert } from '../ui/inert.ts'
import { formatCount, formatInstant } from '../ui/units.ts'
import type { Change } from './change-words.ts'
import { nodeName } from './node-words.ts'

/** What the dialog of a change holds, as it was chosen. */
export interface ChangeFields {
  reason: string
  /** Minutes from now until the deadline of a drain, as typed. */
  minutes: string
  onDeadline: OnDeadline
  force: boolean
}

export const EMPTY_CHANGE: ChangeFields = { reason: '', minutes: '10', onDeadline: 'stop', force: false }

const LONGEST_MINUTES = 7 * 24 * 60

/** What a drain may do at its deadline. */
export const ON_DEADLINE: readonly OnDeadline[] = ['stop', 'wait']

/** What is wrong with the deadline; undefined when nothing is. */
export const minutesProblem = (minutes: string): string | undefined => {
  const value = Number(minutes)
  const isGood = minutes.trim() !== '' && value >= 0 && value <= LONGEST_MINUTES
  return isGood ? undefined : 'Type the minutes until the deadline, from 0 to 10080 (a week).'
}

interface ChangeRequest {
  change: Change
  sessionId: string
  node: RosterNode
  fields: ChangeFields
}

/** Does it, and answers what has happened, in words. Throws the server's error. */
export const changeNode = async ({ change, sessionId, node, fields }: ChangeRequest): Promise<string> => {
  const name = inert(nodeName(node))
  const reason = fields.reason.trim()
  const slot = { sessionId, nodeId: node.nodeId, ...(reason !== '' && { reason }) }
  const { force, onDeadline } = fields
  switch (change) {
    case 'cordon':
      await rpc.runtimeNode.cordon.mutate(slot)
      return `${name} is cordoned: it is given no new work, and what runs on it goes on.`
    case 'uncordon':
      await rpc.runtimeNode.uncordon.mutate(slot)
      return `${name} may be given work.`
    case 'drain': {
      const deadline = new Date(Date.now() + Number(fields.minutes) * 60_000).toISOString()
      const { drain } = await rpc.runtimeNode.drain.mutate({ ...slot, deadline, onDeadline, force })
      if (drain === null) return `${name} is not attached, so there is nothing to drain; it is cordoned.`
      return `${name} drains until ${formatInstant(drain.deadline)}; ${thenWords(drain.onDeadline)}. It detaches when all is stored.`
    }
    case 'remove': {
      const { unstoredLines } = await rpc.runtimeNode.remove.mutate({ ...slot, force })
      const lost = unstoredLines === 0 ? '' : ` ${formatCount(unstoredLines)} lines of it had not been stored.`
      return `${name} is out of the session.${lost}`
    }
    case 'revoke':
      await rpc.runtimeNode.revoke.mutate(slot)
      return `${name} is revoked for good.`
  }
}

/** What a drain does at its deadline. */
export const thenWords = (onDeadline: OnDeadline): string =>
  onDeadline === 'stop' ? 'what still runs then is stopped' : 'what still runs then runs to its end'
