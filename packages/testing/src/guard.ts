import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { readProcess } from './process-identity.ts'

/** One line to the guard process. */
export type GuardMessage =
  | { kind: 'add'; pid: number; startTime: string | undefined; signal: NodeJS.Signals; remove: string[] }
  | { kind: 'forget'; pid: number }

/** What to do with a process when this one is gone. */
export interface GuardOptions {
  /** @default SIGKILL */
  signal?: NodeJS.Signals
  /** Files and folders to delete once it has ended. */
  remove?: string[]
}

let pipe: Socket | undefined

const send = (message: GuardMessage): void => {
  pipe ??= startGuard()
  pipe.write(`${JSON.stringify(message)}\n`)
}

/** A group of its own, so that the Ctrl-C that ends the tests does not end it too. */
const startGuard = (): Socket => {
  const guard = spawn(process.execPath, [fileURLToPath(new URL('guard-worker.ts', import.meta.url))], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.unref()
  if (!(guard.stdin instanceof Socket)) throw new Error('The guard process has no input pipe')
  guard.stdin.unref()
  guard.stdin.on('error', () => {})
  return guard.stdin
}

/**
 * Ends a process when this one ends without having done so, SIGKILL included: servers of a test run must not outlive it.
 * The returned function takes the process off the list.
 */
export const guardProcess = (pid: number, options: GuardOptions = {}): (() => void) => {
  send({
    kind: 'add',
    pid,
    startTime: readProcess(pid)?.startTime,
    signal: options.signal ?? 'SIGKILL',
    remove: options.remove ?? [],
  })
  return () => send({ kind: 'forget', pid })
}
