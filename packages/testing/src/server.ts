import { fileURLToPath } from 'node:url'
import { startProgram, type Program } from './program.ts'

/** How to start a control plane. */
export interface StartControlPlaneOptions {
  databaseUrl: string
  /** Further environment. */
  env?: Record<string, string>
  /** @default 0, a free one; a restart keeps the first one's */
  port?: number
}

/** A control plane in a process of its own. Dispose to stop it. */
export interface ControlPlaneProcess extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Every line of its log so far, restarts included, parsed. */
  readonly logs: readonly Record<string, unknown>[]
  /** Sends a signal and, if the process ends by it, waits for the end. Default SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Ends it if it runs, and starts it again on the same port. */
  restart(): Promise<void>
  /** Stops it as a deploy does: SIGTERM, and SIGKILL after 15 s. Returns its exit code. */
  stop(): Promise<number | null>
}

const MAIN = fileURLToPath(new URL('../../../apps/control-plane/src/main.ts', import.meta.url))

/** Starts the real program and waits until it listens. Throws with its last output when it ends before. */
export const startControlPlane = async (options: StartControlPlaneOptions): Promise<ControlPlaneProcess> => {
  const logs: Record<string, unknown>[] = []
  const launch = (port: number): Promise<Program<string>> =>
    startProgram({
      name: 'control plane',
      main: MAIN,
      env: { DATABASE_URL: options.databaseUrl, SONDE_HOST: '127.0.0.1', SONDE_PORT: String(port), ...options.env },
      logs,
      readyOf: (message) =>
        'kind' in message && message.kind === 'listening' && 'url' in message && typeof message.url === 'string'
          ? message.url
          : undefined,
    })
  let running = await launch(options.port ?? 0)
  return {
    get url() {
      return running.ready
    },
    get pid() {
      return running.pid
    },
    logs,
    kill: (signal = 'SIGKILL') => running.kill(signal),
    restart: async () => {
      await running.stop()
      running = await launch(Number(new URL(running.ready).port))
    },
    stop: () => running.stop(),
    [Symbol.asyncDispose]: async () => {
      // A stopped process takes no SIGTERM.
      running.child.kill('SIGCONT')
      await running.stop()
    },
  }
}
