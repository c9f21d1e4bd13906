import type { Clock, TimerHandle } from '@sonde/contracts'
import type { ClientEntry, ControlConnection } from '../control-connection.ts'
import { parseInfo } from '../server-facts.ts'
import { predictedCpuShare } from './cost-model.ts'
import { ImpactJudge, median, type Impact, type ImpactLimits, type Reading } from './impact.ts'

/** What is known of a reader's cost so far; null is unknown. */
export interface ImpactSample {
  omemBytes: number | null
  addedLatencyUs: number | null
}

/** A reader as the server knows it. */
export interface Reader {
  /** From `CLIENT ID`; null where the server or its ACL does not tell it. */
  clientId: string | null
  clientName: string
  /** Echoed by the watchdog, so that its own lines are known. */
  mark: string
}

export interface WatchdogOptions {
  control: Pick<ControlConnection, 'ping' | 'info' | 'clients' | 'kill' | 'echo' | 'greeting'>
  limits: ImpactLimits
  clock: Clock
  onSample: (sample: ImpactSample) => void
  /** Called at most once, before the reader is ended. */
  onImpact: (impact: Impact) => void
}

const POLL_MS = 250
/** INFO costs a server more than the other questions. */
const INFO_EVERY = 4
/** Servers before 6.2 list all clients or none, and thousands of them take milliseconds. */
const LIST_EVERY = 4
const BASELINE_TRIPS = 5

/** Watches what one reader costs its server, on a connection of its own, and ends the reader when that is too much. */
export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions
  #judge: ImpactJudge | undefined
  #reader: Reader | undefined
  #canListOne = true
  #turn = 0
  #memory: Pick<Reading, 'usedMemory' | 'memoryLimit' | 'cpuShare'> = NOTHING_KNOWN
  #omemBytes: number | null = null
  #timer: TimerHandle | undefined
  #isOver = false

  constructor(options: WatchdogOptions) {
    this.#options = options
  }

  /** Measures the server without the reader. A server that does not answer is measured against the limit's floor alone. */
  async prepare(): Promise<void> {
    const trips: number[] = []
    try {
      // The first one opens the connection.
      await this.#options.control.ping()
      for (let turn = 0; turn < BASELINE_TRIPS; turn += 1) trips.push(await this.#roundTripUs())
    } catch {
      trips.length = 0
    }
    this.#judge = new ImpactJudge(this.#options.limits, median(trips))
  }

  /** From now on, until disposed. */
  async watch(reader: Reader): Promise<void> {
    const { control, limits } = this.#options
    this.#reader = reader
    this.#judge ??= new ImpactJudge(limits, 0)
    control.greeting = () => reader.mark
    await control.echo(reader.mark).catch(() => undefined)
    if (!this.#isOver) await this.#poll()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#options.clock.clearTimeout(this.#timer)
  }

  async #poll(): Promise<void> {
    const { clock, onImpact, onSample } = this.#options
    const reading = await this.#read()
    if (this.#isOver || !this.#judge) return
    const impact = this.#judge.judge(reading, clock.monotonicMs())
    onSample({ omemBytes: reading.omemBytes, addedLatencyUs: this.#judge.addedLatencyUs })
    if (impact !== null) {
      this.#isOver = true
      onImpact(impact)
      return this.#endReader()
    }
    this.#turn += 1
    this.#timer = clock.setTimeout(() => void this.#poll(), POLL_MS)
  }

  /** A question that is not answered leaves its part unknown; the reader's own fences tell of a server that hangs. */
  async #read(): Promise<Reading> {
    const roundTripUs = await this.#roundTripUs().catch(() => null)
    if (this.#canListOne || this.#turn % LIST_EVERY === 0) {
      this.#omemBytes = (await this.#find().catch(() => undefined))?.omemBytes ?? null
    }
    if (this.#turn % INFO_EVERY === 0) this.#memory = await this.#info().catch(() => NOTHING_KNOWN)
    return { omemBytes: this.#omemBytes, roundTripUs, ...this.#memory }
  }

  /** The shortest of three: what a host does besides delays one of them, a server that is behind delays all. */
  async #roundTripUs(): Promise<number> {
    const { clock, control } = this.#options
    let shortestMs = Number.POSITIVE_INFINITY
    for (let turn = 0; turn < 3; turn += 1) {
      const sentMs = clock.monotonicMs()
      await control.ping()
      shortestMs = Math.min(shortestMs, clock.monotonicMs() - sentMs)
    }
    return shortestMs * 1000
  }

  async #find(): Promise<ClientEntry | undefined> {
    if (!this.#reader) return undefined
    const { clientId, clientName } = this.#reader
    const { control } = this.#options
    if (clientId !== null && this.#canListOne) {
      try {
        return (await control.clients(clientId))[0]
      } catch {
        this.#canListOne = false
      }
    }
    const clients = await control.clients()
    return clients.find(({ id, name }) => (clientId === null ? name === clientName : id === clientId))
  }

  async #info(): Promise<Pick<Reading, 'usedMemory' | 'memoryLimit' | 'cpuShare'>> {
    const values = parseInfo(await this.#options.control.info())
    const numberOf = (name: string): number | null => {
      const value = Number(values.get(name) ?? Number.NaN)
      return Number.isFinite(value) ? value : null
    }
    return {
      usedMemory: numberOf('used_memory'),
      memoryLimit: numberOf('maxmemory') || numberOf('total_system_memory'),
      cpuShare: predictedCpuShare(values),
    }
  }

  async #endReader(): Promise<void> {
    const id = this.#reader?.clientId ?? (await this.#find().catch(() => undefined))?.id
    // What cannot be ended from here is closed by the thread that reads, once it looks.
    if (id !== undefined) await this.#options.control.kill(id).catch(() => undefined)
  }
}

const NOTHING_KNOWN = { usedMemory: null, memoryLimit: null, cpuShare: null } as const
