import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessIdentity } from './process-identity.ts'

/** A process that `up` started, and how it is asked to stop. */
export interface NotedProcess extends ProcessIdentity {
  name: string
  stopSignal: 'SIGTERM' | 'SIGINT'
}

/** `<data dir>/run.json`: who runs on this data directory. It is removed at the end of an orderly stop. */
export interface RunFile {
  up: ProcessIdentity
  processes: NotedProcess[]
  /** The capture that `up` started and that may still hold its servers. */
  captureId?: string
}

/** What a run.json means to a new start. */
export type Reconciled =
  | { kind: 'free' }
  | { kind: 'running'; pid: number }
  /** The run ended without stopping what it had started. */
  | { kind: 'stale'; leftovers: NotedProcess[]; captureId: string | undefined }

/** Decides what to do with the run.json that was found. */
export const reconcile = (found: RunFile | undefined, isRunning: (process: ProcessIdentity) => boolean): Reconciled => {
  if (found === undefined) return { kind: 'free' }
  if (isRunning(found.up)) return { kind: 'running', pid: found.up.pid }
  return { kind: 'stale', leftovers: found.processes.filter(isRunning), captureId: found.captureId }
}

const isIdentity = (value: unknown): value is ProcessIdentity => {
  if (value === null || typeof value !== 'object' || !('pid' in value)) return false
  const { pid } = value
  const startTime = 'startTime' in value ? value.startTime : undefined
  return Number.isInteger(pid) && (pid as number) > 1 && (startTime === undefined || typeof startTime === 'string')
}

const isNoted = (value: unknown): value is NotedProcess =>
  isIdentity(value) &&
  'name' in value &&
  typeof value.name === 'string' &&
  'stopSignal' in value &&
  (value.stopSignal === 'SIGTERM' || value.stopSignal === 'SIGINT')

/** A run.json as text; undefined when it is damaged, as a full disk leaves it, or of another form. */
export const parseRunFile = (text: string): RunFile | undefined => {
  try {
    const { up, processes, captureId } = JSON.parse(text) as Record<string, unknown>
    if (!isIdentity(up) || !Array.isArray(processes)) return undefined
    const noted = { up, processes: processes.filter(isNoted) }
    return typeof captureId === 'string' ? { ...noted, captureId } : noted
  } catch {
    return undefined
  }
}

const pathIn = (dataDir: string): string => join(dataDir, 'run.json')

/** The run.json of a data directory, if there is one that can be read. */
export const readRunFile = (dataDir: string): RunFile | undefined => {
  try {
    return parseRunFile(readFileSync(pathIn(dataDir), 'utf8'))
  } catch {
    return undefined
  }
}

/** Replaces the run.json as a whole. */
export const writeRunFile = (dataDir: string, run: RunFile): void => {
  const fresh = `${pathIn(dataDir)}.new`
  writeFileSync(fresh, `${JSON.stringify(run, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(fresh, pathIn(dataDir))
}

export const removeRunFile = (dataDir: string): void => rmSync(pathIn(dataDir), { force: true })
