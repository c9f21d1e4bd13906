import { type Command } from 'commander'
import { ExitCode, Interrupted, UsageError } from './core/failure.ts'
import { collect, durationValue, integerValue, withExamples } from './core/options.ts'
import { dataDirOf } from './core/settings.ts'
import { Processes } from './up/processes.ts'
import { urlsOf } from './up/sources.ts'
import { stopSignal } from './up/stop-signal.ts'

interface UpFlags {
  target?: string[]
  cluster?: string[]
  port?: number
  capture: boolean
  duration?: number
  dataDir?: string
}

const FIRST_CAPTURE_MS = 20_000
const DEFAULT_PORT = 7373

/** Adds `sonde up`, which is what `npm start` runs. */
export const addUpCommand = (program: Command): void => {
  withExamples(
    program
      .command('up')
      .description('start everything here: PostgreSQL, control plane, nodes, and a first capture')
      .option(
        '--target <url>',
        'capture this server; may be repeated (SONDE_TARGETS: URLs with spaces between)',
        collect,
      )
      .option(
        '--cluster <url>',
        'capture the cluster that this server is a member of; may be repeated (SONDE_CLUSTERS, likewise)',
        collect,
      )
      .option(
        '--port <port>',
        `port of the control plane (SONDE_PORT; default: ${DEFAULT_PORT})`,
        integerValue(1, 65_535),
      )
      .option('--no-capture', 'do not start a first capture')
      .option('--duration <duration>', 'how long the first capture records (default: 20s)', durationValue)
      .option('--data-dir <folder>', 'where everything is kept (SONDE_DATA_DIR; default: .data in the checkout)')
      .addHelpText(
        'after',
        `
DATABASE_URL names a PostgreSQL (15 or later) of your own; without it one is started in the data folder.
Without --target and --cluster a valkey-server or redis-server from REDIS_SERVER or PATH is used, with a workload; without
one of those, synthetic traffic. A password in --target shows in the list of processes: put the URL in SONDE_TARGETS. Ctrl-C
stops everything and keeps the data; a second one stops at once.`,
      )
      .action(up),
    'sonde up',
    'sonde up --target redis://127.0.0.1:6379 --target redis://127.0.0.1:6380',
    'DATABASE_URL=postgres://127.0.0.1/sonde sonde up --cluster redis://10.0.0.5:7000 --port 8080',
  )
}

const portOf = (flag: number | undefined): number => {
  const named = process.env['SONDE_PORT']
  if (flag !== undefined) return flag
  if (named === undefined || named === '') return DEFAULT_PORT
  try {
    return integerValue(1, 65_535)(named)
  } catch {
    throw new UsageError('SONDE_PORT must be a port from 1 to 65535.')
  }
}

const up = async (flags: UpFlags): Promise<void> => {
  const port = portOf(flags.port)
  const dataDir = dataDirOf(flags.dataDir, process.env)
  const processes = new Processes(dataDir)
  const signal = stopSignal(() => {
    processes.killAll()
    process.exit(ExitCode.interrupted)
  })
  // Loaded here: it takes longer than most commands to run.
  const { runUp } = await import('./up/run-up.ts')
  const { ready } = await runUp({
    dataDir,
    port,
    host: process.env['SONDE_HOST'] ?? '127.0.0.1',
    targets: flags.target ?? urlsOf(process.env['SONDE_TARGETS']),
    clusters: flags.cluster ?? urlsOf(process.env['SONDE_CLUSTERS']),
    captureMs: flags.capture ? (flags.duration ?? FIRST_CAPTURE_MS) : undefined,
    processes,
    signal,
  })
  if (!ready) throw new Interrupted()
}
