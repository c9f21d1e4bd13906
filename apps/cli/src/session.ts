import {
  addMemberInput,
  roleSchema,
  sessionCreateInput,
  setFloorInput,
  type Member,
  type Session,
} from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { connected, connectedAnywhere, idValue, withExamples, type CommonFlags } from './core/options.ts'
import { print, printJson, printTable } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import { formatInstant } from './print/units.ts'
import { addRedactionCommand } from './session-redaction.ts'

/** Adds `sonde session create`, `get`, `list`, `set-floor`, `add-member`, `remove-member`, `redaction` and `archive`. */
export const addSessionCommands = (program: Command): void => {
  const group = withExamples(
    program.command('session').description('sessions, their members and their version floor'),
    'sonde session create checkout-team',
    'sonde session list',
  )
  const add = (name: string, description: string): Command => connected(group.command(name)).description(description)
  const addAnywhere = (name: string, description: string): Command =>
    connectedAnywhere(group.command(name)).description(description)
  withExamples(
    addAnywhere('create', 'make a session that you own')
      .argument('<name>')
      .option('--floor <version>', 'oldest version of a node that may write: MAJOR.MINOR')
      .action(create),
    'sonde session create checkout-team --floor 0.1',
  )
  withExamples(
    add('get', 'show a session and its members').action(get),
    'sonde session get --session checkout-team',
    'sonde session get --json',
  )
  withExamples(
    addAnywhere('list', 'list the sessions that you are a member of').option('--all', 'archived ones too').action(list),
    'sonde session list --all',
  )
  withExamples(
    add('set-floor', 'raise the version floor; nodes below it become read-only')
      .argument('<version>', 'MAJOR.MINOR')
      .action(setFloor),
    'sonde session set-floor 0.2',
  )
  withExamples(
    add('add-member', 'take a participant into the session, or change the role of a member')
      .argument('<participant>', 'id of the participant', idValue)
      .addOption(new Option('--role <role>').choices(roleSchema.options).makeOptionMandatory())
      .action(addMember),
    'sonde session add-member 01930f2e-7c1a-7a00-8000-0123456789ab --role viewer',
  )
  withExamples(
    add('remove-member', 'end a membership')
      .argument('<participant>', 'id of the participant', idValue)
      .action(removeMember),
    'sonde session remove-member 01930f2e-7c1a-7a00-8000-0123456789ab',
  )
  addRedactionCommand(group)
  withExamples(
    add('archive', 'end a session for work: its captures stop, and what they recorded stays readable').action(archive),
    'sonde session archive --session checkout-team',
  )
}

const show = async (session: Session, flags: CommonFlags): Promise<void> => {
  if (flags.json === true) return printJson(session)
  await print(`${session.id}  ${plainText(session.name)}`)
  await print(`state ${session.state}, floor ${session.minClientVersion ?? 'none'}, your role ${session.role}`)
}

const showMembers = async (members: readonly Member[], flags: CommonFlags): Promise<void> => {
  if (flags.json === true) return printJson({ members })
  await printTable(
    [
      { title: 'PARTICIPANT' },
      { title: 'ROLE' },
      { title: 'STATE' },
      { title: 'SINCE' },
      { title: 'NAME', shrinks: true },
    ],
    members.map((member) => [
      member.participantId,
      member.role,
      member.state,
      formatInstant(member.since),
      member.name,
    ]),
  )
}

const create = async (name: string, flags: CommonFlags & { floor?: string }): Promise<void> => {
  const floor = flags.floor === undefined ? {} : { minClientVersion: flags.floor }
  const input = checkInput(sessionCreateInput, { name, ...floor })
  await using connection = await connect(flags)
  await show(await connection.call((rpc) => rpc.sessions.create.mutate(input)), flags)
}

const get = async (flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const session = await connection.call((rpc) => rpc.sessions.get.query({ sessionId }))
  await show(session, flags)
  if (flags.json !== true) await showMembers(session.members, flags)
}

const list = async (flags: CommonFlags & { all?: boolean }): Promise<void> => {
  await using connection = await connect(flags)
  const sessions: Session[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = { includeArchived: flags.all === true, limit: 200, ...(cursor !== undefined && { cursor }) }
    const answer = await connection.call((rpc) => rpc.sessions.list.query(page))
    sessions.push(...answer.sessions)
    cursor = answer.nextCursor ?? undefined
  }
  if (flags.json === true) return printJson({ sessions })
  await printTable(
    [
      { title: 'SESSION' },
      { title: 'STATE' },
      { title: 'ROLE' },
      { title: 'FLOOR' },
      { title: 'CREATED' },
      { title: 'NAME', shrinks: true },
    ],
    sessions.map((each) => [
      each.id,
      each.state,
      each.role,
      each.minClientVersion ?? '-',
      formatInstant(each.createdAt),
      each.name,
    ]),
  )
}

const setFloor = async (minClientVersion: string, flags: CommonFlags): Promise<void> => {
  checkInput(setFloorInput.shape.minClientVersion, minClientVersion)
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  await show(await connection.call((rpc) => rpc.sessions.setFloor.mutate({ sessionId, minClientVersion })), flags)
}

const addMember = async (participantId: string, flags: CommonFlags & { role: string }): Promise<void> => {
  await using connection = await connect(flags)
  const input = checkInput(addMemberInput, {
    sessionId: await connection.sessionId(),
    participantId,
    role: flags.role,
  })
  const { members } = await connection.call((rpc) => rpc.sessions.addMember.mutate(input))
  await showMembers(members, flags)
}

const removeMember = async (participantId: string, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const { members } = await connection.call((rpc) => rpc.sessions.removeMember.mutate({ sessionId, participantId }))
  await showMembers(members, flags)
}

const archive = async (flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  await show(await connection.call((rpc) => rpc.sessions.archive.mutate({ sessionId })), flags)
}
