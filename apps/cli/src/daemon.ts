import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { withExamples } from './core/options.ts'

/** The daemon's own program. */
export const DAEMON_MAIN = fileURLToPath(import.meta.resolve('@sonde/daemon/main'))

/** Adds `sonde daemon`, for the help; its arguments go to the daemon as they are. */
export const addDaemonCommand = (program: Command): void => {
  withExamples(
    program
      .command('daemon')
      .description('run the capture daemon here: its arguments are those of apps/daemon')
      .argument('[arguments...]')
      .allowUnknownOption(),
    'SONDE_URL=http://127.0.0.1:7373 SONDE_TOKEN=sonde_n_... sonde daemon --target redis://127.0.0.1:6379',
    'sonde daemon --cluster redis://10.0.0.5:7000',
  )
}

/**
 * Runs the daemon as a process of its own and ends as it ended. It is a process group of its own, so that each signal
 * reaches it once, from here; if this process is killed, the closed IPC channel ends it.
 */
export const runDaemon = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [DAEMON_MAIN, ...args], {
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  child.once('error', reject)
  child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  return promise
}
