import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { guardProcess } from './guard.ts'

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
const START_MS = 30_000
const STOP_MS = 15_000

interface Running {
  child: ChildProcess
  pid: number
  url: string
  exited: Promise<number | null>
}

/** Starts the real program and waits until it says over IPC that it listens. Throws with its last output when it ends before. */
export const startControlPlane = async (options: StartControlPlaneOptions): Promise<ControlPlaneProcess> => {
  const logs: Record<string, unknown>[] = []
  let running = await launch(options, logs)
  const stop = async (): Promise<number | null> => {
    running.child.kill('SIGTERM')
    const impatient = setTimeout(() => running.child.kill('SIGKILL'), STOP_MS)
    const code = await running.exited
    clearTimeout(impatient)
    return code
  }
  return {
    get url() {
      return running.url
    },
    get pid() {
      return running.pid
    },
    logs,
    kill: async (signal = 'SIGKILL') => {
      running.child.kill(signal)
      if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') await running.exited
    },
    restart: async () => {
      await stop()
      running = await launch({ ...options, port: Number(new URL(running.url).port) }, logs)
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      // A stopped process takes no SIGTERM.
      running.child.kill('SIGCONT')
      await stop()
    },
  }
}

const launch = async (options: StartControlPlaneOptions, logs: Record<string, unknown>[]): Promise<Running> => {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      DATABASE_URL: options.databaseUrl,
      SONDE_HOST: '127.0.0.1',
      SONDE_PORT: String(options.port ?? 0),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const output: string[] = []
  const note = (line: string): void => {
    output.push(line)
    if (output.length > 50) output.shift()
  }
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      note(line)
      const parsed = parseLine(line)
      if (parsed !== undefined) logs.push(parsed)
    })
  }

  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      note(error.message)
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
  const { pid } = child
  const forget = pid === undefined ? () => {} : guardProcess(pid)
  void exited.then(forget)

  const deadline = AbortSignal.timeout(START_MS)
  const outcome = await Promise.race([
    listening(child, deadline).catch(() => `did not listen within ${START_MS / 1_000} s`),
    exited.then((code) => `ended with exit code ${code}`),
  ])
  if (typeof outcome !== 'string' && pid !== undefined) return { child, pid, url: outcome.url, exited }
  child.kill('SIGKILL')
  await exited
  const what = typeof outcome === 'string' ? outcome : 'did not start'
  throw new Error(`The control plane ${what}. Its last output:\n${output.join('\n')}`)
}

const listening = async (child: ChildProcess, signal: AbortSignal): Promise<{ url: string }> => {
  for (;;) {
    const [message] = (await once(child, 'message', { signal })) as unknown[]
    if (isListening(message)) return { url: message.url }
  }
}

const isListening = (message: unknown): message is { kind: 'listening'; url: string } =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  message.kind === 'listening' &&
  'url' in message

const parseLine = (line: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
