import { enrollCommand, enrollmentCreateInput } from '@sonde/contracts'
import type { Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { connected, withExamples, type CommonFlags } from './core/options.ts'
import { note, print, printJson } from './print/output.ts'
import { formatInstant } from './print/units.ts'

/** Adds `sonde nodes enroll`. */
export const addNodeEnroll = (group: Command): void => {
  withExamples(
    connected(group.command('enroll'))
      .description('let one host join the session as a new node, once, within 10 minutes')
      .requiredOption('--name <name>', 'name of the node; its daemon is started with the same')
      .action(enroll),
    'sonde nodes enroll --name rack-7',
    'sonde node enroll --name rack-7 --json',
  )
}

const enroll = async (flags: CommonFlags & { name: string }): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const input = checkInput(enrollmentCreateInput, { sessionId, name: flags.name })
  const made = await connection.call((rpc) => rpc.runtimeNode.createEnrollment.mutate(input))
  const { url } = connection.settings
  const command = enrollCommand(url, made)
  if (flags.json === true) return printJson({ ...made, url, command })
  await print(command)
  note(
    `Run this on the host, with the servers that it is to read. Its token works once, until ${formatInstant(made.expiresAt)}.`,
  )
}
