import type { Command } from 'commander'
import { connect } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import { connected, withExamples, type CommonFlags } from './core/options.ts'
import { addNodeEnroll } from './node-enroll.ts'
import { resolveNode, rosterOf } from './node-ref.ts'
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
      .argument('<node>', 'id or name of the node')
      .action(show),
    'sonde nodes show node-0123456789abcdef0123456789abcdef',
    'sonde nodes show rack-7 --json',
  )
  addNodeEnroll(group)
  addNodeChanges(group)
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

const show = async (node: string, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const sessionId = await connection.sessionId()
  const detail = await connection.call((rpc) => rpc.runtimeNode.show.query({ sessionId, nodeId }))
  await (flags.json === true ? printJson(detail) : printNode(detail))
}
