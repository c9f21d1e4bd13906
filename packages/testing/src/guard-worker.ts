import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GuardMessage } from './guard.ts'
import { isAlive, readProcess } from './process-identity.ts'

// Runs as a process of its own. Its standard input ends when the process that started it ends, in whatever way: then
// everything that is still noted is ended.

const noted = new Map<number, Extract<GuardMessage, { kind: 'add' }>>()

/** Without /proc the pid alone must do. */
const isSame = (pid: number, startTime: string | undefined): boolean => {
  if (startTime === undefined) return isAlive(pid)
  const found = readProcess(pid)
  return found !== undefined && found.state !== 'Z' && found.startTime === startTime
}

const end = async ({ pid, startTime, signal, remove }: Extract<GuardMessage, { kind: 'add' }>): Promise<void> => {
  for (const [next, waits] of [
    [signal, 500],
    ['SIGKILL', 100],
  ] as const) {
    if (!isSame(pid, startTime)) break
    process.kill(pid, next)
    for (let waited = 0; waited < waits && isSame(pid, startTime); waited += 1) await sleep(10)
  }
  for (const path of remove) rmSync(path, { recursive: true, force: true })
}

for await (const line of createInterface({ input: process.stdin })) {
  const message: GuardMessage = JSON.parse(line)
  if (message.kind === 'add') noted.set(message.pid, message)
  else noted.delete(message.pid)
}
await Promise.all([...noted.values()].map(end))
