import type { Clock, TimerHandle } from '@sonde/contracts'
import { describeAddress, type ServerAddress } from './server-address.ts'
import { parseClusterNodes } from './topology.ts'

export interface TopologyWatchOptions {
  clock: Clock
  /** Members of clusters that are being read now. */
  reading: () => ServerAddress[]
  /** CLUSTER NODES of a server; throws when it does not answer. */
  clusterNodes: (address: ServerAddress) => Promise<string>
  /** A member says something else of the cluster than the last time. */
  changed: () => void
}

/** A failover takes the cluster seconds; one short command a second of each server that is read is nothing beside MONITOR. */
const EVERY_MS = 1_000

/**
 * While clusters are read, asks the members that are read for their view each second, and tells when one has changed: a
 * failover is then known within a second, not at the next regular look. Ends by itself when nothing is read any more.
 */
export class TopologyWatch implements Disposable {
  readonly #options: TopologyWatchOptions
  readonly #views = new Map<string, string>()
  #timer: TimerHandle | undefined
  #isClosed = false

  constructor(options: TopologyWatchOptions) {
    this.#options = options
  }

  /** A target is about to be read. */
  start(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = this.#options.clock.setTimeout(() => void this.#look(), EVERY_MS)
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const addresses = this.#options.reading()
    const changes = await Promise.all(addresses.map((address) => this.#hasChanged(address)))
    if (this.#isClosed) return
    this.#timer = undefined
    if (addresses.length === 0) this.#views.clear()
    else this.start()
    if (changes.includes(true)) this.#options.changed()
  }

  async #hasChanged(address: ServerAddress): Promise<boolean> {
    const key = describeAddress(address)
    // The first view is new, and no answer is a view too.
    const view = await this.#options.clusterNodes(address).then(
      (text) => viewOf(text, address),
      () => '',
    )
    const before = this.#views.get(key)
    this.#views.set(key, view)
    return before !== view
  }
}

/** What a member says, without the order in which it lists the others and the times of their pings. */
const viewOf = (text: string, { host }: ServerAddress): string =>
  JSON.stringify(parseClusterNodes(text, host).toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1)))
