import type { AttachmentState, Liveness, RosterNode } from '@sonde/contracts'
import type { Command } from 'commander'
import { connect } from './core/connect.ts'
import { connected, withExamples, type CommonFlags } from './core/options.ts'
import { printJson, printTable } from './print/output.ts'
import type { Cell } from './print/table.ts'
import type { Tone } from './print/tone.ts'
import { formatDuration } from './print/units.ts'

/** Adds `sonde nodes`. */
export const addNodesCommand = (program: Command): void => {
  withExamples(
    connected(program.command('nodes'))
      .alias('node')
      .description('list the nodes of the session, and what keeps each from new work')
      .option('--all', 'detached and revoked ones too')
      .action(list),
    'sonde nodes',
    'sonde nodes --all --json',
  )
}

const list = async (flags: CommonFlags & { all?: boolean }): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const nodes: RosterNode[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = { sessionId, includeEnded: flags.all === true, ...(cursor !== undefined && { cursor }) }
    const answer = await connection.call((rpc) => rpc.runtimeNode.roster.query(page))
    nodes.push(...answer.nodes)
    cursor = answer.nextCursor ?? undefined
  }
  if (flags.json === true) return printJson({ nodes })
  const now = Date.now()
  await printTable(
    [
      { title: 'NODE' },
      { title: 'STATE' },
      { title: 'LIVENESS' },
      { title: 'LAST BEAT', align: 'right' },
      { title: 'VERSION' },
      { title: 'CAPABILITIES', shrinks: true },
      { title: 'BLOCKERS', shrinks: true },
    ],
    nodes.map((node) => [
      node.nodeId,
      { text: node.state, tone: TONES[node.state] },
      node.liveness === null ? 'unknown' : { text: node.liveness, tone: TONES[node.liveness] },
      node.lastHeartbeatAt === null ? 'never' : formatDuration(Math.max(0, now - Date.parse(node.lastHeartbeatAt))),
      node.versionMalformed ? `${node.clientVersion} (unreadable)` : node.clientVersion,
      Object.keys(node.capabilities).join(', ') || '-',
      blockersOf(node),
    ]),
  )
}

const TONES: Record<AttachmentState | Liveness, Tone> = {
  registering: 'warning',
  online: 'good',
  degraded: 'warning',
  offline: 'bad',
  revoked: 'bad',
}

const blockersOf = ({ blockers }: RosterNode): Cell =>
  blockers.length === 0 ? '-' : { text: blockers.join(', '), tone: 'warning' }
