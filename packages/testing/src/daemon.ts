import { fileURLToPath } from 'node:url'
import { startProgram } from './program.ts'

/** How to start a daemon. */
export interface StartDaemonOptions {
  url: string
  /** A node's token. */
  token: string
  stateDir: string
  /** Arguments that name what it captures: `--target redis://...`, `--cluster redis://...`. */
  sources: string[]
  /** Further environment. */
  env?: Record<string, string>
}

/** A daemon in a process of its own. Dispose to stop it. */
export interface DaemonProcess extends AsyncDisposable {
  readonly nodeId: string
  readonly pid: number
  /** Every line of its log so far, parsed. */
  readonly logs: readonly Record<string, unknown>[]
  /** Sends a signal and, if the process ends by it, waits for the end. Default SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** SIGTERM, and SIGKILL after 15 s. Returns its exit code. */
  stop(): Promise<number | null>
}

const MAIN = fileURLToPath(new URL('../../../apps/daemon/src/main.ts', import.meta.url))

/** Starts the real program and waits until its node is online. Throws with its last output when it ends before. */
export const startDaemon = async (options: StartDaemonOptions): Promise<DaemonProcess> => {
  const logs: Record<string, unknown>[] = []
  const running = await startProgram({
    name: 'daemon',
    main: MAIN,
    args: options.sources,
    env: { SONDE_URL: options.url, SONDE_TOKEN: options.token, SONDE_STATE_DIR: options.stateDir, ...options.env },
    logs,
    readyOf: (message) =>
      'kind' in message && message.kind === 'ready' && 'nodeId' in message && typeof message.nodeId === 'string'
        ? message.nodeId
        : undefined,
  })
  return {
    nodeId: running.ready,
    pid: running.pid,
    logs,
    kill: (signal = 'SIGKILL') => running.kill(signal),
    stop: () => running.stop(),
    [Symbol.asyncDispose]: async () => {
      running.child.kill('SIGCONT')
      await running.stop()
    },
  }
}
