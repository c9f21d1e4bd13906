import { cordonInput, drainInput, OnDeadline, removeInput, revokeInput, type SchedulingResult } from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import { connected, durationValue, withExamples, type CommonFlags } from './core/options.ts'
import { resolveNode } from './node-ref.ts'
import { print, printJson } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import { counted, formatInstant } from './print/units.ts'

interface ChangeFlags extends CommonFlags {
  reason?: string
}

const NODE = 'node-0123456789abcdef0123456789abcdef'
const DRAIN_MS = 10 * 60_000

/** Adds what people do to a node: `cordon`, `uncordon`, `drain`, `remove` and `revoke`. */
export const addNodeChanges = (group: Command): void => {
  const add = (name: string, description: string): Command =>
    connected(group.command(name))
      .description(description)
      .argument('<node>', 'id or name of the node')
      .option('--reason <text>', 'why; it is kept with the transition')
  withExamples(
    add('cordon', 'give a node no new work; what runs on it goes on').action(cordon),
    `sonde nodes cordon ${NODE} --reason "disk is slow"`,
  )
  withExamples(
    add('uncordon', 'let a node be given work again; also calls off a drain').action(uncordon),
    `sonde nodes uncordon ${NODE}`,
  )
  withExamples(
    add('drain', 'cordon a node and have it finish, ship what it has and detach')
      .option('--within <duration>', 'time until the deadline, from now (default: 10m)', durationValue)
      .addOption(
        new Option('--on-deadline <what>', 'captures that still run then: stop them, or wait for their end')
          .choices(Object.values(OnDeadline))
          .default(OnDeadline.stop),
      )
      .option('--force', 'also when no other node that takes work reaches one of its primaries')
      .action(drain),
    `sonde nodes drain ${NODE}`,
    `sonde nodes drain ${NODE} --within 1h --on-deadline wait --reason "kernel update"`,
  )
  withExamples(
    add('remove', 'take a node that has no work out of the session; it may come back')
      .option('--force', 'also with work on it: captures there end, and lines that are not stored yet are lost')
      .action(remove),
    `sonde nodes remove ${NODE}`,
  )
  withExamples(
    add('revoke', 'take a node out of the session for good: its id never comes back; for owners of the session')
      .option('--yes', 'do it; without this nothing is done')
      .action(revoke),
    `sonde nodes revoke ${NODE} --yes --reason "stolen laptop"`,
  )
}

const reasonOf = ({ reason }: ChangeFlags) => (reason === undefined ? {} : { reason })

const tell = async (flags: ChangeFlags, result: object, words: string): Promise<void> =>
  await (flags.json === true ? printJson(result) : print(words))

const stateWords = ({ nodeId, cordonedAt, drain: drained }: SchedulingResult): string => {
  const node = plainText(nodeId)
  if (drained !== null) {
    const then =
      drained.onDeadline === 'stop' ? 'what still runs then is stopped' : 'what still runs then runs to its end'
    return `${node} drains until ${formatInstant(drained.deadline)}; ${then}. It detaches when all is stored.`
  }
  return cordonedAt === null
    ? `${node} may be given work.`
    : `${node} is cordoned: it is given no new work, and what runs on it goes on.`
}

const cordon = async (node: string, flags: ChangeFlags): Promise<void> => {
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const input = checkInput(cordonInput, { sessionId: await connection.sessionId(), nodeId, ...reasonOf(flags) })
  const result = await connection.call((rpc) => rpc.runtimeNode.cordon.mutate(input))
  await tell(flags, result, stateWords(result))
}

const uncordon = async (node: string, flags: ChangeFlags): Promise<void> => {
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const input = checkInput(cordonInput, { sessionId: await connection.sessionId(), nodeId, ...reasonOf(flags) })
  const result = await connection.call((rpc) => rpc.runtimeNode.uncordon.mutate(input))
  await tell(flags, result, stateWords(result))
}

interface DrainFlags extends ChangeFlags {
  within?: number
  onDeadline: OnDeadline
  force?: boolean
}

const drain = async (node: string, flags: DrainFlags): Promise<void> => {
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const input = checkInput(drainInput, {
    sessionId: await connection.sessionId(),
    nodeId,
    deadline: new Date(Date.now() + (flags.within ?? DRAIN_MS)).toISOString(),
    onDeadline: flags.onDeadline,
    force: flags.force === true,
    ...reasonOf(flags),
  })
  const result = await connection.call((rpc) => rpc.runtimeNode.drain.mutate(input))
  const idle = `${plainText(nodeId)} is not attached, so there is nothing to drain; it is cordoned.`
  await tell(flags, result, result.drain === null ? idle : stateWords(result))
}

const remove = async (node: string, flags: ChangeFlags & { force?: boolean }): Promise<void> => {
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const sessionId = await connection.sessionId()
  const input = checkInput(removeInput, { sessionId, nodeId, force: flags.force === true, ...reasonOf(flags) })
  const result = await connection.call((rpc) => rpc.runtimeNode.remove.mutate(input))
  const lost = result.unstoredLines === 0 ? '' : ` ${counted(result.unstoredLines, 'line')} of it had not been stored.`
  const back = 'A daemon of it that runs comes back by itself: stop it, or revoke the node to keep it out.'
  await tell(flags, result, `${plainText(nodeId)} is out of the session.${lost} ${back}`)
}

const revoke = async (node: string, flags: ChangeFlags & { yes?: boolean }): Promise<void> => {
  if (flags.yes !== true) {
    throw new UsageError(
      `Revoking ${node} is for good: it ends what runs there, and its id never comes back into this session. Repeat with --yes.`,
    )
  }
  await using connection = await connect(flags)
  const nodeId = await resolveNode(connection, node)
  const input = checkInput(revokeInput, { sessionId: await connection.sessionId(), nodeId, ...reasonOf(flags) })
  const result = await connection.call((rpc) => rpc.runtimeNode.revoke.mutate(input))
  await tell(flags, result, `${plainText(nodeId)} is revoked for good.`)
}
