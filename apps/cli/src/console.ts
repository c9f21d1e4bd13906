import type { Command } from 'commander'
import { connect } from './core/connect.ts'
import { connectedAnywhere, withExamples, type CommonFlags } from './core/options.ts'
import { print, printJson } from './print/output.ts'

/** Adds `sonde console`. */
export const addConsoleCommand = (program: Command): void => {
  withExamples(
    connectedAnywhere(program.command('console'))
      .description('print a link that signs a browser in to the console; it works once, for ten minutes')
      .action(signIn),
    'sonde console',
    'xdg-open "$(sonde console)"',
  )
}

const signIn = async (flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const { code, expiresAt } = await connection.call((rpc) => rpc.signIn.createCode.mutate())
  const link = signInLink(connection.settings.url, code)
  if (flags.json === true) return printJson({ link, expiresAt })
  await print(link)
}

/** The code is behind `#`, which no browser sends to a server or a proxy. */
export const signInLink = (url: string, code: string): string => `${url.replace(/\/$/, '')}/#code=${code}`
