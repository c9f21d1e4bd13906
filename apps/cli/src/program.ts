import { Command, Help, type Option } from 'commander'
import { addAnalysisCommands } from './analysis/command.ts'
import { addBenchCommand, addDrillCommand } from './bench.ts'
import { addCaptureCommands } from './capture.ts'
import { addConsoleCommand } from './console.ts'
import { addDaemonCommand } from './daemon.ts'
import { addExportCommand } from './export/command.ts'
import { addFleetSimCommand } from './fleet-sim.ts'
import { addMigrateCommand } from './migrate.ts'
import { addNodesCommand } from './nodes.ts'
import { addReplayCommand } from './replay/command.ts'
import { addSearchCommand } from './search.ts'
import { addSessionCommands } from './session.ts'
import { addSqlCommand } from './sql.ts'
import { addTailCommand } from './tail.ts'
import { addTokenCommands } from './token.ts'
import { addUpCommand } from './up.ts'

const ABOUT = `
Settings are read from flags, then SONDE_URL, SONDE_TOKEN and SONDE_SESSION, then .data/cli.json, which "sonde up" writes.

Exit codes:
  0    it worked
  1    the operation failed; the error's code says why
  2    bad arguments or settings
  3    the control plane cannot be reached
  4    not authorized
  5    the capture that was waited for ended failed or partial
  130  interrupted

Examples:
  $ sonde up
  $ sonde capture start --all-primaries --duration 30s --wait
  $ sonde tail CAPTURE | head`

const COMMON = ['url', 'token', 'session', 'json', 'help']
/** What is a command's own comes first in its help, and what many have last. */
const placeOf = (option: Option): number => COMMON.indexOf(option.attributeName())

/** The whole command line. Failures are thrown, never printed; help is printed. */
export const createProgram = (): Command => {
  const program = new Command('sonde')
    .description('Captures what clients do on a fleet of Valkey and Redis servers.')
    .version('0.1.0', '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .configureHelp({
      visibleOptions: (command) => new Help().visibleOptions(command).toSorted((a, b) => placeOf(a) - placeOf(b)),
    })
    .addHelpText('after', ABOUT)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  addUpCommand(program)
  addMigrateCommand(program)
  addTokenCommands(program)
  addSessionCommands(program)
  addNodesCommand(program)
  addCaptureCommands(program)
  addTailCommand(program)
  addSearchCommand(program)
  addAnalysisCommands(program)
  addExportCommand(program)
  addReplayCommand(program)
  addConsoleCommand(program)
  addSqlCommand(program)
  addDaemonCommand(program)
  addFleetSimCommand(program)
  addBenchCommand(program)
  addDrillCommand(program)
  return program
}

/** The command that the arguments name, as its help is asked for: `sonde capture start`. */
export const helpNameOf = (program: Command, args: readonly string[]): string => {
  let command = program
  const names = [program.name()]
  for (const word of args) {
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (next === undefined) break
    command = next
    names.push(next.name())
  }
  return names.join(' ')
}
