import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from './process-identity.ts'

/** What `postmaster.pid` in a data directory says, and whether the process it names is what it says. */
export type Postmaster =
  | { kind: 'none' }
  /** The pid is dead. PostgreSQL takes the file over by itself, after it has checked that no backend survived. */
  | { kind: 'dead'; pid: number }
  /** The pid lives but is another program: it was given out again. PostgreSQL would refuse to start. */
  | { kind: 'foreign'; pid: number }
  | { kind: 'alive'; pid: number; port: number; ready: boolean }

/** A postmaster's working directory is its data directory, which no other program's is by accident. */
const servesDataDir = (pid: number, dataDir: string): boolean => {
  try {
    if (existsSync('/proc/self/cwd')) return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir)
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(`-D ${dataDir}`)
  } catch {
    return false
  }
}

/** Path of the file by which a running server is found again. */
export const postmasterFile = (dataDir: string): string => join(dataDir, 'postmaster.pid')

/** Reads `postmaster.pid`: line 1 is the pid, line 4 the port, line 8 the status. */
export const readPostmaster = (dataDir: string): Postmaster => {
  let lines: string[]
  try {
    lines = readFileSync(postmasterFile(dataDir), 'utf8').split('\n')
  } catch {
    return { kind: 'none' }
  }
  // The standalone backend of an unfinished initdb writes its pid with a minus sign.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10))
  if (!Number.isInteger(pid) || pid === 0) return { kind: 'dead', pid: 0 }
  if (!isAlive(pid)) return { kind: 'dead', pid }
  if (!servesDataDir(pid, dataDir)) return { kind: 'foreign', pid }
  return { kind: 'alive', pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}
