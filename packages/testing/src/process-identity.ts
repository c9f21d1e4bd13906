import { readFileSync } from 'node:fs'

/** State letter and start time of a process, where /proc tells them. With the start time a pid names one process for good. */
export const readProcess = (pid: number): { state: string; startTime: string } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const startTime = fields[18]
    return state === undefined || startTime === undefined ? undefined : { state, startTime }
  } catch {
    return undefined
  }
}

/** Whether a process with this pid runs; one that has ended and waits for its parent to notice does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return readProcess(pid)?.state !== 'Z'
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' && readProcess(pid)?.state !== 'Z'
  }
}
