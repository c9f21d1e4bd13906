import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'

/** The daemon's own program. */
export const DAEMON_MAIN = fileURLToPath(import.meta.resolve('@sonde/daemon/main'))

/** Adds `sonde daemon` to the list of commands; its arguments and its help are the daemon's own. */
export const addDaemonCommand = (program: Command): void => {
  program.command('daemon').description('run the capture daemon here, beside the servers that it reads')
}

/** The arguments of the daemon when `sonde daemon` or its help is asked for. */
export const daemonArguments = (args: readonly string[]): readonly string[] | undefined => {
  if (args[0] === 'daemon') return args.slice(1)
  return args[0] === 'help' && args[1] === 'daemon' ? ['--help'] : undefined
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
