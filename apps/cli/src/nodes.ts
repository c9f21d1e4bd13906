import type { RosterNode } from '@sonde/contracts'
import type { Command } from 'commander'
import { connect, type Connection } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import { connected, nodeIdValue, withExamples, type CommonFlags } from './core/options.ts'
import { addNodeEnroll } from './node-enroll.ts'
import { addNodeChanges } from './nodes-change.ts'
import { printNode, printNodes } from './nodes-view.ts'
import { printJson } from './print/output.ts'

/** Adds `sonde nodes`, which lists, and `sonde nodes show`, `enroll`, `cordon`, `uncordon`, `drain`, `revoke` and `remove`. */
export const addNodesCommand = (program: Command): void => {
  const group = withExamples(
    program.command('nodes').alias('node').description('the nodes of the session, and whether they are given new work'),
    'sonde nodes',
    'sonde nodes show node-0123456789abcdef0123456789abcdef',
    'sonde nodes drain node-0123456789abcdef0123456789abcdef --within 15m --reason "kernel update"',
  )
  withExamples(
    connected(group.command('list', { isDefault: true }))
      .description('list the nodes, and what keeps each from new work; also without "list"')
      .option('--all', 'detached and revoked ones too')
      .allowExcessArguments()
      .action(list),
    'sonde nodes',
    'sonde nodes --all --json',
  )
  withExamples(
    connected(group.command('show'))
      .description('show all that is known of a node, with its last 20 transitions and their causes')
      .argument('<node>', 'id of the node', nodeIdValue)
      .action(show),
    'sonde nodes show node-0123456789abcdef0123456789abcdef',
    'sonde nodes show node-0123456789abcdef0123456789abcdef --json',
  )
  addNodeEnroll(group)
  addNodeChanges(group)
}

const rosterOf = async (connection: Connection, includeEnded: boolean): Promise<RosterNode[]> => {
  const sessionId = await connection.sessionId()
  const nodes: RosterNode[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = { sessionId, includeEnded, ...(cursor !== undefined && { cursor }) }
    const answer = await connection.call((rpc) => rpc.runtimeNode.roster.query(page))
    nodes.push(...answer.nodes)
    cursor = answer.nextCursor ?? undefined
  }
  return nodes
}

const list = async (flags: CommonFlags & { all?: boolean }, command: Command): Promise<void> => {
  // A mistyped command arrives here as an argument of the default one.
  const [word] = command.args
  if (word !== undefined) {
    const others = command.parent?.commands.map((each) => each.name()).filter((name) => name !== 'help')
    throw new UsageError(`unknown command '${word}'. There are ${others?.join(', ')}.`)
  }
  await using connection = await connect(flags)
  const nodes = await rosterOf(connection, flags.all === true)
  await (flags.json === true ? printJson({ nodes }) : printNodes(nodes))
}

const show = async (nodeId: string, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const node = await connection.call((rpc) => rpc.runtimeNode.show.query({ sessionId, nodeId }))
  await (flags.json === true ? printJson(node) : printNode(node))
}
