import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalFailure } from '../core/failure.ts'
import { failureWithLog, openLog } from './log-file.ts'
import { wordsForEnd } from './process-end.ts'
import type { Processes } from './processes.ts'

/** A Node program to run beside `up`. */
export interface ChildOptions {
  /** As people read it: `control plane`. */
  name: string
  /** How a message begins that tells of it. @default `The <name>` */
  title?: string
  main: string
  args?: readonly string[]
  env?: NodeJS.ProcessEnv
  dataDir: string
  processes: Processes
}

/** A running child. Dispose to ask it to end, and to end it when it does not. */
export interface Child extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  readonly logPath: string
  /** Resolves when it has ended, with how. */
  readonly exited: Promise<string>
  readonly hasEnded: boolean
  /** The first message of that kind. Throws with the child's last words when it ends or takes too long. */
  message(kind: string, options: { signal: AbortSignal; timeoutMs: number }): Promise<Record<string, unknown>>
  /** Calls back with each message of that kind. */
  onMessage(kind: string, receive: (message: Record<string, unknown>) => void): void
  /** What to say when it ended and should not have. `advice` is a sentence of its own. */
  failure(how: string, advice?: string): LocalFailure
}

const CHANNEL_STOP_MS = 15_000
const TERM_STOP_MS = 5_000

/**
 * Starts a child in a process group of its own, so that Ctrl-C reaches it only through `up`, in order. Its IPC channel is
 * its reason to run: when `up` ends, however it ends, the channel closes and the child ends.
 */
export const startChild = (options: ChildOptions): Child => {
  const { name, main, args, env, dataDir, processes } = options
  const log = openLog(join(dataDir, 'logs', `${name.replaceAll(' ', '-')}.log`))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...(args ?? [])], {
    env: env ?? process.env,
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor, 'ipc'],
  })
  closeSync(log.descriptor)
  const { pid } = child
  let hasEnded = pid === undefined
  const exited = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      hasEnded = true
      if (pid !== undefined) processes.remove(pid)
      resolve(how)
    }
    child.once('error', (error) => end(error.message))
    child.once('exit', (code, signal) => end(wordsForEnd({ code, signal })))
  })
  if (pid !== undefined) processes.add(name, pid)

  const failure: Child['failure'] = (how, advice) =>
    failureWithLog(
      [`${options.title ?? `The ${name}`} ${how}.`, advice].filter((words) => words !== undefined).join(' '),
      log,
    )
  const onMessage: Child['onMessage'] = (kind, receive) =>
    void child.on('message', (value: unknown) => {
      if (value !== null && typeof value === 'object' && 'kind' in value && value.kind === kind) receive({ ...value })
    })
  const message: Child['message'] = (kind, { signal, timeoutMs }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>()
    const abort = (): void => reject(signal.reason as Error)
    const timer = setTimeout(() => reject(failure(`was not ready within ${timeoutMs / 1000} s`)), timeoutMs)
    onMessage(kind, resolve)
    signal.addEventListener('abort', abort)
    void exited.then((how) => reject(failure(`did not start (${how})`)))
    return promise.finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    })
  }
  const endsWithin = (ms: number): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(false), ms)
    return Promise.race([exited.then(() => true), promise]).finally(() => clearTimeout(timer))
  }
  return {
    name,
    pid: pid ?? -1,
    logPath: log.path,
    exited,
    get hasEnded() {
      return hasEnded
    },
    message,
    onMessage,
    failure,
    [Symbol.asyncDispose]: async () => {
      if (hasEnded) return
      if (child.connected) child.disconnect()
      if (await endsWithin(CHANNEL_STOP_MS)) return
      child.kill('SIGTERM')
      if (await endsWithin(TERM_STOP_MS)) return
      child.kill('SIGKILL')
      await exited
    },
  }
}
