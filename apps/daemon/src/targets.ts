import { randomBytes } from 'node:crypto'
import { Dialect } from '@sonde/capture-format'
import type { Clock, TargetRole, TargetsDeclareInput, TimerHandle } from '@sonde/contracts'
import type { TargetSpec } from './config.ts'
import { ControlConnection } from './control-connection.ts'
import { discover, type Discovery, type FoundTarget, type Probe } from './discover.ts'
import { OwnTraffic } from './own-traffic.ts'
import type { Guard } from './guard/guard.ts'
import { describeAddress, type ServerAddress } from './server-address.ts'
import { RedisMonitor } from './source/redis-monitor.ts'
import type { Source } from './source/source.ts'
import { Synthetic } from './source/synthetic.ts'
import { TargetReader, type AttachOptions } from './target-reader.ts'
import { TopologyWatch } from './topology-watch.ts'
import type { ServerFacts } from './server-facts.ts'

const REFRESH_MS = 30_000
/** While something that this node is to read does not answer. */
const REFRESH_UNHEALTHY_MS = 5_000
/** Declared again after this time, changed or not. */
const REDECLARE_MS = 60_000
const DECLARATION_WAIT_MS = 2_000
/** Lists whose answer may still come. */
const KEPT_LISTS = 4
/** Names longer than this make CLIENT LIST unreadable; servers take any length. */
const MAX_NAME = 200

export interface TargetsOptions {
  specs: readonly TargetSpec[]
  nodeId: string
  name?: string
  clock: Clock
  random: () => number
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Watches what the readers cost their servers. @default nobody does */
  guard?: Guard
  /** Tells the control plane; when the list is taken, `declared` is called. */
  declare: (list: TargetList) => void
}

/** What is declared: the whole list. */
export type TargetList = Omit<TargetsDeclareInput, 'nodeId' | 'epoch'>

/** A target that this node reads. */
export interface ReadableTarget {
  /** Null for a source that is built in. */
  address: ServerAddress | null
  reader: TargetReader
  /** Asked now; throws when the target does not answer. */
  facts(): Promise<{ serverVersion: string | null; role: TargetRole; monitorCpuShare: number | null }>
  /** The target's clock, in microseconds. */
  nowUs(): Promise<number>
}

/** A name that CLIENT SETNAME takes: printable, without blanks. */
const clientName = (...parts: readonly string[]): string =>
  ['sonde', ...parts]
    .join(':')
    .replace(/[^!-~]/g, '-')
    .slice(0, MAX_NAME)

const SYNTHETIC_FACTS = { serverVersion: null, role: 'primary', monitorCpuShare: null } as const

/** The targets of this node: finds them again and again, declares what changed, and holds their connections and readers. */
export class Targets implements Disposable {
  readonly #options: TargetsOptions
  readonly #controlName: string
  /** Names of the connections of this process, which are no leftovers. */
  readonly #liveNames = new Set<string>()
  readonly #controls = new Map<string, ControlConnection>()
  readonly #found = new Map<string, FoundTarget>()
  readonly #readable = new Map<string, ReadableTarget>()
  readonly #dialects = new Map<string, Dialect>()
  readonly #cleaned = new Set<string>()
  readonly #watch: TopologyWatch
  #discovery: Discovery | undefined
  /** What each list that was declared lately stands for, by its text: a list comes back as a copy. */
  readonly #discoveryOf = new Map<string, Discovery>()
  readonly #awaitingDeclaration = new Set<() => void>()
  /** The list declared last. */
  #last: { text: string; atMs: number } | undefined
  #timer: TimerHandle | undefined
  #refreshing: Promise<void> | undefined
  #isAgain = false
  #isClosed = false

  constructor(options: TargetsOptions) {
    this.#options = options
    this.#controlName = clientName(options.nodeId, 'control', randomBytes(4).toString('hex'))
    this.#liveNames.add(this.#controlName)
    if (options.guard) this.#liveNames.add(options.guard.clientName)
    this.#watch = new TopologyWatch({
      clock: options.clock,
      reading: () =>
        [...this.#readable].flatMap(([id, { address, reader }]) =>
          address !== null && reader.isOpen && this.#found.get(id)?.declared.cluster !== undefined ? [address] : [],
        ),
      clusterNodes: (address) => this.#control(address).clusterNodes(),
      changed: () => void this.refresh(),
    })
  }

  /** Looks at all targets now, and from then on by itself; resolves when that round is over. */
  refresh(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    if (this.#refreshing !== undefined) {
      this.#isAgain = true
      return this.#refreshing
    }
    this.#options.clock.clearTimeout(this.#timer)
    this.#refreshing = this.#round().finally(() => {
      this.#refreshing = undefined
      if (this.#isAgain && !this.#isClosed) {
        this.#isAgain = false
        void this.refresh()
      }
    })
    return this.#refreshing
  }

  /** The list was taken; the ids are in its order. */
  declared(list: TargetList, targetIds: readonly string[]): void {
    const discovery = this.#discoveryOf.get(JSON.stringify(list))
    if (discovery === undefined) return
    this.#found.clear()
    for (const [index, id] of targetIds.entries()) this.#found.set(id, discovery.targets[index]!)
    this.#forgetMoved()
    for (const wake of this.#awaitingDeclaration) wake()
  }

  /**
   * The target under that id, if this node reads it. A command can overtake the answer to the declaration that gave the
   * target its id, so an unknown id is looked for again once that has come, for 2 s at most.
   */
  async find(targetId: string): Promise<ReadableTarget | undefined> {
    const known = this.#lookUp(targetId)
    if (known !== undefined) return known
    await this.#nextDeclaration()
    return this.#lookUp(targetId)
  }

  async #nextDeclaration(): Promise<void> {
    const { clock } = this.#options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#awaitingDeclaration.add(resolve)
    const timer = clock.setTimeout(resolve, DECLARATION_WAIT_MS)
    await promise
    clock.clearTimeout(timer)
    this.#awaitingDeclaration.delete(resolve)
  }

  #lookUp(targetId: string): ReadableTarget | undefined {
    const known = this.#readable.get(targetId)
    if (known !== undefined) return known
    const found = this.#found.get(targetId)
    if (found === undefined || (found.address === null && found.declared.kind === 'server')) return undefined
    const target = found.address === null ? this.#synthetic() : this.#server(targetId, found.address)
    this.#readable.set(targetId, target)
    return target
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#timer)
    this.#watch[Symbol.dispose]()
    for (const control of this.#controls.values()) control[Symbol.dispose]()
  }

  async #round(): Promise<void> {
    const { specs, nodeId, name, clock } = this.#options
    const probe: Probe = {
      facts: (address) => this.#facts(address),
      clusterNodes: (address) => this.#control(address).clusterNodes(),
    }
    const previous = this.#discovery && { previous: this.#discovery }
    this.#discovery = await discover({ specs, probe, nodeId, ...(name !== undefined && { name }), ...previous })
    if (this.#isClosed) return
    this.#declare(this.#discovery)
    const waitMs = this.#discovery.targets.every(isWellRead) ? REFRESH_MS : REFRESH_UNHEALTHY_MS
    this.#timer = clock.setTimeout(() => void this.refresh(), waitMs)
  }

  #declare(discovery: Discovery): void {
    const { clock, log, declare } = this.#options
    const targets = discovery.targets.map(({ declared }) => declared)
    const list: TargetList = { clusters: discovery.clusters, targets }
    const text = JSON.stringify(list)
    const nowMs = clock.monotonicMs()
    const isNew = this.#last?.text !== text
    if (!isNew && nowMs - (this.#last?.atMs ?? 0) < REDECLARE_MS) return
    if (isNew) log.info({ targets: targets.map(summarize), clusters: list.clusters }, 'targets found')
    for (const { address, error } of isNew ? discovery.unanswered : []) {
      log.warn({ target: address, error }, `cannot read ${address}: ${error}`)
    }
    this.#last = { text, atMs: nowMs }
    this.#discoveryOf.set(JSON.stringify(list), discovery)
    const [oldest] = this.#discoveryOf.keys()
    if (this.#discoveryOf.size > KEPT_LISTS && oldest !== undefined) this.#discoveryOf.delete(oldest)
    declare(list)
  }

  /** Drops what was made for addresses that are no longer in the list, unless it is in use. */
  #forgetMoved(): void {
    const addresses = new Set([...this.#found.values()].flatMap(({ address }) => address ?? []).map(describeAddress))
    for (const [id, { address, reader }] of this.#readable) {
      const now = this.#found.get(id)?.address ?? null
      const isSame = address === null ? now === null : now !== null && describeAddress(address) === describeAddress(now)
      if (reader.isOpen && address !== null) addresses.add(describeAddress(address))
      else if (!isSame) this.#readable.delete(id)
    }
    for (const spec of this.#options.specs) if (spec.kind !== 'synthetic') addresses.add(describeAddress(spec.address))
    for (const [key, control] of this.#controls) {
      if (addresses.has(key)) continue
      control[Symbol.dispose]()
      this.#controls.delete(key)
      this.#cleaned.delete(key)
    }
  }

  async #facts(address: ServerAddress): Promise<ServerFacts> {
    const control = this.#control(address)
    const facts = await control.facts()
    const key = describeAddress(address)
    this.#dialects.set(key, facts.dialect)
    if (!this.#cleaned.has(key)) {
      this.#cleaned.add(key)
      const prefix = `${clientName(this.#options.nodeId)}:`
      const killed = await control.killLeftovers(prefix, this.#liveNames).catch(() => 0)
      if (killed > 0) this.#options.log.info({ target: key, killed }, 'connections of an earlier process were ended')
    }
    return facts
  }

  #control(address: ServerAddress): ControlConnection {
    const key = describeAddress(address)
    const known = this.#controls.get(key)
    if (known !== undefined) return known
    const control = new ControlConnection(address, this.#controlName)
    this.#controls.set(key, control)
    return control
  }

  #synthetic(): ReadableTarget {
    const { clock, random } = this.#options
    return {
      address: null,
      reader: new TargetReader({
        createSource: ({ maxLineBytes }) => new Synthetic({ clock, random, maxLineBytes }),
        clock,
        random,
      }),
      facts: () => Promise.resolve(SYNTHETIC_FACTS),
      nowUs: () => Promise.resolve(Math.floor(clock.now() * 1000)),
    }
  }

  #server(targetId: string, address: ServerAddress): ReadableTarget {
    const { clock, random } = this.#options
    const control = this.#control(address)
    return {
      address,
      reader: new TargetReader({ createSource: (attach) => this.#monitor(targetId, address, attach), clock, random }),
      facts: () => this.#facts(address),
      nowUs: () => control.timeUs(),
    }
  }

  #monitor(targetId: string, address: ServerAddress, { maxLineBytes }: AttachOptions): Source {
    const { nodeId, clock, guard } = this.#options
    this.#watch.start()
    const own = new OwnTraffic(randomBytes(6).toString('hex'))
    const name = clientName(nodeId, targetId)
    this.#liveNames.add(name)
    const control = this.#control(address)
    control.greeting = () => own.mark('control')
    return new RedisMonitor({
      address,
      clientName: name,
      // As the last look found it; a server in use does not change its version.
      dialect: this.#dialects.get(describeAddress(address)) ?? Dialect.bracket,
      maxLineBytes,
      own,
      clock,
      onOpen: () => control.echo(own.mark('control')),
      ...(guard && { guard: { open: (onImpact) => guard.guard(address, onImpact), lagMs: guard.limits.lagMs } }),
    })
  }
}

const isWellRead = ({ declared, address }: FoundTarget): boolean =>
  address === null || (declared.reachable && declared.health !== 'unhealthy')

const summarize = ({ host, port, role, health, reachable }: FoundTarget['declared']) => ({
  address: describeAddress({ host, port }),
  role,
  health,
  reachable,
})
