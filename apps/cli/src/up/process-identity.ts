import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** A process for good: a pid alone is given out again. */
export interface ProcessIdentity {
  pid: number
  /** As the system tells it; undefined where it does not. */
  startTime: string | undefined
}

/** When a living process was started, in the system's own words; undefined when there is none (a zombie is none). */
const startTimeOf = (pid: number): string | undefined => {
  try {
    if (existsSync('/proc/self/stat')) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' ? undefined : fields[19]
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

/** The identity of a process that this one has just started, or of this one. */
export const identityOf = (pid: number): ProcessIdentity => ({ pid, startTime: startTimeOf(pid) })

/** Whether that very process still runs. */
export const isRunning = ({ pid, startTime }: ProcessIdentity): boolean => {
  const now = startTimeOf(pid)
  return now !== undefined && now === startTime
}
