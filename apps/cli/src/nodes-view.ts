import type { AttachmentState, Blocker, Liveness, NodeDetail, RosterNode } from '@sonde/contracts'
import { daemonNameOf } from './node-ref.ts'
import { print, printTable, toned } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import type { Cell } from './print/table.ts'
import type { Tone } from './print/tone.ts'
import { formatDuration, formatInstant } from './print/units.ts'

const TONES: Record<AttachmentState | Liveness, Tone> = {
  registering: 'warning',
  online: 'good',
  degraded: 'warning',
  offline: 'bad',
  revoked: 'bad',
}

/** Why a node is given no new work, and what ends that. */
const BLOCKER_WORDS: Record<Blocker, string> = {
  not_online: 'its slot is not online: it has to attach and declare what it can do',
  stale: 'no heartbeat came lately',
  read_only: 'its version is below the floor of the session, or cannot be read',
  not_declared: 'it has not declared what it can do since it attached',
  owner_inactive: 'its owner is no active member of the session who may attach nodes',
  cordoned: 'cordoned; "sonde nodes uncordon" lifts it',
  draining: 'draining; "sonde nodes uncordon" calls it off',
}

const newWorkOf = ({ blockers }: RosterNode): Cell =>
  blockers.length === 0 ? { text: 'yes', tone: 'good' } : { text: `no: ${blockers.join(', ')}`, tone: 'warning' }

const versionOf = ({ clientVersion, versionMalformed }: RosterNode): string =>
  versionMalformed ? `${clientVersion} (unreadable)` : clientVersion

const beatOf = ({ lastHeartbeatAt }: RosterNode, now: number): string =>
  lastHeartbeatAt === null ? 'never' : `${formatDuration(Math.max(0, now - Date.parse(lastHeartbeatAt)))} ago`

const livenessOf = ({ liveness, livenessHeld }: RosterNode): Cell => {
  if (liveness !== null) return { text: liveness, tone: TONES[liveness] }
  return livenessHeld ? 'held back' : 'unknown'
}

/** The name that the daemon was given, and its machine. */
const nameOf = (node: RosterNode): string =>
  [daemonNameOf(node), node.host === null ? undefined : `on ${node.host}`]
    .filter((part) => part !== undefined)
    .join(' ')

/** The nodes of a session, a line each, for standard output. */
export const printNodes = async (nodes: readonly RosterNode[]): Promise<void> => {
  const now = Date.now()
  await printTable(
    [
      { title: 'NODE' },
      { title: 'NAME', shrinks: true },
      { title: 'STATE' },
      { title: 'LIVENESS' },
      { title: 'LAST BEAT', align: 'right' },
      { title: 'VERSION' },
      { title: 'NEW WORK', shrinks: true },
    ],
    nodes.map((node) => [
      node.nodeId,
      nameOf(node) || '-',
      { text: node.state, tone: TONES[node.state] },
      livenessOf(node),
      beatOf(node, now),
      versionOf(node),
      newWorkOf(node),
    ]),
  )
}

const drainWords = ({ drain }: RosterNode): string => {
  if (drain === null) return 'no'
  const then = drain.onDeadline === 'stop' ? 'captures are then stopped' : 'captures run to their end'
  return `since ${formatInstant(drain.requestedAt)} until ${formatInstant(drain.deadline)}, ${then}; it is told: ${drain.mode}`
}

const livenessWords = (node: RosterNode): string => {
  const { liveness, livenessHeld } = node
  const verdict = livenessHeld ? 'held back, as many others are silent too' : (liveness ?? 'unknown')
  return `${verdict}; last heartbeat ${beatOf(node, Date.now())}; announced: ${node.healthState ?? 'nothing yet'}`
}

const fieldsOf = (node: RosterNode): [string, string][] => [
  ['state', node.endedAt === null ? node.state : `${node.state} since ${formatInstant(node.endedAt)}`],
  ['liveness', livenessWords(node)],
  ['version', `${versionOf(node)}${node.readOnly ? ', read-only' : ''}`],
  ['host', node.host ?? 'not told'],
  ['attached', `${formatInstant(node.lastAttachedAt)}, epoch ${node.epoch}; first ${formatInstant(node.attachedAt)}`],
  ['attachment', node.attachmentId],
  ['owner', `${node.participantId}${node.access === 'ok' ? '' : ', no active member'}`],
  ['cordoned', node.cordonedAt === null ? 'no' : `since ${formatInstant(node.cordonedAt)}`],
  ['draining', drainWords(node)],
  [
    'clone alarm',
    node.cloneAlarm === null
      ? 'no'
      : `${formatInstant(node.cloneAlarm.at)}: two daemons share this id, on ${node.cloneAlarm.hosts.join(' and ')}`,
  ],
  ...Object.entries(node.capabilities).map(([name, value]): [string, string] => [`can ${name}`, JSON.stringify(value)]),
]

/** All that is known of a node, for standard output. */
export const printNode = async (node: NodeDetail): Promise<void> => {
  const { blockers, transitions } = node
  await print(`${plainText(node.nodeId)}  ${toned(node.state, TONES[node.state])}`)
  await print(blockers.length === 0 ? 'It is given new work.' : 'It is given no new work:')
  for (const blocker of blockers) await print(`  ${blocker}: ${BLOCKER_WORDS[blocker]}`)
  const fields = fieldsOf(node).map(([name, value]) => [plainText(name), plainText(value)] as const)
  const width = Math.max(...fields.map(([name]) => name.length))
  for (const [name, value] of fields) await print(`  ${name.padEnd(width)}  ${value}`)
  await print('Transitions, newest first:')
  await printTable(
    [
      { title: 'AT' },
      { title: 'AXIS' },
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'CAUSE' },
      { title: 'REASON', shrinks: true },
    ],
    transitions.map(({ at, axis, from, to, cause, reason }) => [
      formatInstant(at),
      axis,
      from ?? '-',
      to,
      cause,
      reason ?? '-',
    ]),
  )
}
