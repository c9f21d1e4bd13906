import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { guardProcess } from './guard.ts'

/** How to start one of Sonde's programs. */
export interface StartProgramOptions<Ready> {
  /** Named in errors. */
  name: string
  /** The file to run with this process's Node. */
  main: string
  args?: string[]
  env?: Record<string, string>
  /** Each line of its output that is JSON is put here, parsed. */
  logs: Record<string, unknown>[]
  /** What an IPC message says, when it is the one that means "ready". */
  readyOf: (message: object) => Ready | undefined
}

/** A program in a process of its own. */
export interface Program<Ready> {
  child: ChildProcess
  pid: number
  ready: Ready
  exited: Promise<number | null>
  /** SIGTERM, and SIGKILL after 15 s. Returns the exit code. */
  stop(): Promise<number | null>
  /** Sends a signal and, if the process ends by it, waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>
}

const START_MS = 30_000
const STOP_MS = 15_000
const KEPT_LINES = 50
const ENDING: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT']

/** Starts the real program and waits until it says over IPC that it is ready. Throws with its last output when it ends before. */
export const startProgram = async <Ready>(options: StartProgramOptions<Ready>): Promise<Program<Ready>> => {
  const child = spawn(process.execPath, [options.main, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const output: string[] = []
  const note = (line: string): void => {
    output.push(line)
    if (output.length > KEPT_LINES) output.shift()
  }
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      note(line)
      const parsed = parseLine(line)
      if (parsed !== undefined) options.logs.push(parsed)
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

  const outcome = await Promise.race([
    readiness(child, options.readyOf),
    exited.then((code) => `ended with exit code ${code}`),
    new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(`was not ready within ${START_MS / 1_000} s`), START_MS)
      void exited.then(() => clearTimeout(timer))
      timer.unref()
    }),
  ])
  if (typeof outcome === 'string' || pid === undefined) {
    child.kill('SIGKILL')
    await exited
    const what = typeof outcome === 'string' ? outcome : 'did not start'
    throw new Error(`The ${options.name} ${what}. Its last output:\n${output.join('\n')}`)
  }
  return {
    child,
    pid,
    ready: outcome.ready,
    exited,
    async stop() {
      child.kill('SIGTERM')
      const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      const code = await exited
      clearTimeout(impatient)
      return code
    },
    async kill(signal) {
      child.kill(signal)
      if (ENDING.includes(signal)) await exited
    },
  }
}

const readiness = <Ready>(
  child: ChildProcess,
  readyOf: (message: object) => Ready | undefined,
): Promise<{ ready: Ready }> =>
  new Promise((resolve) => {
    const onMessage = (message: unknown): void => {
      const ready = typeof message === 'object' && message !== null ? readyOf(message) : undefined
      if (ready === undefined) return
      child.off('message', onMessage)
      resolve({ ready })
    }
    child.on('message', onMessage)
  })

const parseLine = (line: string): Record<string, unknown> | undefined => {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
