import { setTimeout as sleep } from 'node:timers/promises'
import { LocalFailure } from '../core/failure.ts'
import { identityOf, isRunning } from './process-identity.ts'
import { readRunFile, reconcile, removeRunFile, writeRunFile, type NotedProcess, type RunFile } from './run-file.ts'

/** Children whose parent was killed end by themselves within this time. */
const OWN_END_MS = 5_000
const STOP_MS = 10_000
const LOOK_MS = 50

/** What an earlier run left to be known. */
export interface Takeover {
  stopped: NotedProcess[]
  /** The earlier run did not stop in order. */
  wasKilled: boolean
  captureId: string | undefined
}

/** The processes that `up` started, in memory and in run.json. */
export class Processes {
  readonly #dataDir: string
  #run: RunFile | undefined

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  /** Makes the data directory this run's own. Throws when another `up` has it; stops what a killed one left. */
  async takeOver(): Promise<Takeover> {
    const found = reconcile(readRunFile(this.#dataDir), isRunning)
    if (found.kind === 'running') {
      throw new LocalFailure(
        `Sonde already runs on ${this.#dataDir} (pid ${found.pid}). Stop it, or give this one another --data-dir and --port.`,
      )
    }
    const leftovers = found.kind === 'stale' ? found.leftovers : []
    this.#run = { up: identityOf(process.pid), processes: leftovers }
    this.#save()
    await Promise.all(leftovers.map(stopLeftover))
    this.#run.processes = []
    this.#save()
    const captureId = found.kind === 'stale' ? found.captureId : undefined
    return { stopped: leftovers, wasKilled: found.kind === 'stale', captureId }
  }

  add(name: string, pid: number, stopSignal: NotedProcess['stopSignal'] = 'SIGTERM'): void {
    this.#run?.processes.push({ name, ...identityOf(pid), stopSignal })
    this.#save()
  }

  remove(pid: number): void {
    if (this.#run === undefined) return
    this.#run.processes = this.#run.processes.filter((each) => each.pid !== pid)
    this.#save()
  }

  noteCapture(captureId: string | undefined): void {
    if (this.#run === undefined) return
    const { captureId: _before, ...rest } = this.#run
    this.#run = captureId === undefined ? rest : { ...rest, captureId }
    this.#save()
  }

  /** Ends a process, if it still runs, and takes it off the list. */
  end(pid: number): void {
    const noted = this.#run?.processes.find((each) => each.pid === pid)
    if (noted !== undefined && isRunning(noted)) process.kill(pid, 'SIGKILL')
    this.remove(pid)
  }

  /** Ends every process at once. PostgreSQL gets SIGQUIT, its own way to end at once, since its children would outlive a SIGKILL for a moment. */
  killAll(): void {
    for (const each of this.#run?.processes ?? []) {
      if (isRunning(each)) process.kill(each.pid, each.stopSignal === 'SIGINT' ? 'SIGQUIT' : 'SIGKILL')
    }
  }

  /** Gives the data directory back, after everything has stopped. */
  release(): void {
    if (this.#run !== undefined && this.#run.processes.length === 0) removeRunFile(this.#dataDir)
    this.#run = undefined
  }

  #save(): void {
    if (this.#run !== undefined) writeRunFile(this.#dataDir, this.#run)
  }
}

const ended = async (noted: NotedProcess, withinMs: number): Promise<boolean> => {
  const deadline = performance.now() + withinMs
  while (isRunning(noted)) {
    if (performance.now() >= deadline) return false
    await sleep(LOOK_MS)
  }
  return true
}

const stopLeftover = async (noted: NotedProcess): Promise<void> => {
  if (await ended(noted, OWN_END_MS)) return
  for (const signal of [noted.stopSignal, 'SIGKILL'] as const) {
    process.kill(noted.pid, signal)
    if (await ended(noted, STOP_MS)) return
  }
  throw new LocalFailure(
    `${noted.name} of an earlier run (pid ${noted.pid}) cannot be stopped. End it, then try again.`,
  )
}
