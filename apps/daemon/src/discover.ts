import type { DeclaredTarget } from '@sonde/contracts'
import type { TargetSpec } from './config.ts'
import { describeAddress, type ServerAddress } from './server-address.ts'
import type { ServerFacts } from './server-facts.ts'
import { parseClusterNodes, type ClusterMember } from './topology.ts'

/** One server or synthetic source as it was found, and how this daemon reads it; null where it does not. */
export interface FoundTarget {
  declared: DeclaredTarget
  address: ServerAddress | null
}

/** The whole list for `targets.declare`. */
export interface Discovery {
  clusters: { ok: boolean; error?: string }[]
  targets: FoundTarget[]
  /** Servers that could not be asked, with their or the system's own words. */
  unanswered: { address: string; error: string }[]
}

/** How a discovery asks a server; failures are thrown with the server's words. */
export interface Probe {
  facts(address: ServerAddress): Promise<ServerFacts>
  clusterNodes(address: ServerAddress): Promise<string>
}

export interface DiscoverOptions {
  specs: readonly TargetSpec[]
  probe: Probe
  /** For the identity of synthetic targets. */
  nodeId: string
  name?: string
  /** What was found last: what cannot be asked now keeps its identity and its place in its cluster. */
  previous?: Discovery
}

/** The most that a node can declare. */
const MAX_TARGETS = 1024
const MAX_ERROR = 512

const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).slice(0, MAX_ERROR)

const isSame = (a: ServerAddress, b: ServerAddress): boolean => describeAddress(a) === describeAddress(b)

/** Members of one cluster, as one of its servers sees them, and how each is read. */
interface ClusterView {
  members: ClusterMember[]
  addressOf: (member: ClusterMember) => ServerAddress | null
  factsOf: Map<string, ServerFacts>
}

class Discoverer {
  readonly #options: DiscoverOptions
  readonly #result: Discovery = { clusters: [], targets: [], unanswered: [] }
  readonly #clusterOf = new Map<string, number>()

  constructor(options: DiscoverOptions) {
    this.#options = options
  }

  async run(): Promise<Discovery> {
    // All at once, since a server that is down takes seconds to say so; merged in the order given.
    const found = await Promise.all(this.#options.specs.map((spec, index) => this.#find(spec, index)))
    for (const add of found) add()
    const { clusters, targets, unanswered } = this.#result
    const byReach = targets.toSorted((a, b) => Number(b.declared.reachable) - Number(a.declared.reachable))
    return { clusters, targets: byReach.slice(0, MAX_TARGETS), unanswered }
  }

  #find(spec: TargetSpec, index: number): Promise<() => void> {
    switch (spec.kind) {
      case 'synthetic':
        return Promise.resolve(() => this.#addSynthetic(index))
      case 'server':
        return this.#findServer(spec.address)
      case 'cluster':
        return this.#findCluster(spec.address)
    }
  }

  #addSynthetic(index: number): void {
    const { nodeId, name } = this.#options
    this.#result.targets.push({
      declared: {
        kind: 'synthetic',
        host: name ?? 'synthetic',
        port: index,
        role: 'primary',
        reachable: true,
        health: 'healthy',
        runId: `synthetic-${nodeId}-${index}`,
      },
      address: null,
    })
  }

  async #findServer(address: ServerAddress): Promise<() => void> {
    const { probe } = this.#options
    try {
      const facts = await probe.facts(address)
      if (!facts.isCluster) return () => this.#addStandalone(address, facts)
      const members = parseClusterNodes(await probe.clusterNodes(address), address.host)
      const myself = members.find((member) => member.isMyself)
      if (myself === undefined) throw new Error('CLUSTER NODES does not name the server that was asked')
      return () =>
        this.#addCluster({
          members,
          addressOf: (member) => (member === myself ? address : null),
          factsOf: new Map([[myself.nodeId, facts]]),
        })
    } catch (error) {
      return () => this.#addUnanswered(address, wordsOf(error))
    }
  }

  async #findCluster(seed: ServerAddress): Promise<() => void> {
    const { probe } = this.#options
    const known = this.#knownWith(seed).flatMap(({ address }) => (address === null ? [] : [address]))
    const failures: string[] = []
    for (const address of [seed, ...known.filter((each) => !isSame(each, seed))]) {
      try {
        const members = parseClusterNodes(await probe.clusterNodes(address), address.host)
        if (members.length === 0) throw new Error('CLUSTER NODES names no member')
        return await this.#findMembers(members, address)
      } catch (error) {
        failures.push(wordsOf(error))
      }
    }
    return () => this.#addUnanswered(seed, failures[0] ?? 'no answer', true)
  }

  async #findMembers(members: ClusterMember[], { path: _path, ...seed }: ServerAddress): Promise<() => void> {
    const addressOf = ({ host, port }: ClusterMember): ServerAddress => ({ ...seed, host, port })
    const factsOf = new Map<string, ServerFacts>()
    const asked = members.filter((member) => member.health !== 'unhealthy')
    await Promise.allSettled(
      asked.map(async (member) => factsOf.set(member.nodeId, await this.#options.probe.facts(addressOf(member)))),
    )
    return () => this.#addCluster({ members, addressOf, factsOf })
  }

  #addStandalone(address: ServerAddress, { role, runId, serverVersion }: ServerFacts): void {
    if (runId !== null && this.#result.targets.some(({ declared }) => declared.runId === runId)) return
    const { host, port } = address
    this.#result.targets.push({
      declared: {
        kind: 'server',
        host,
        port,
        role,
        reachable: true,
        health: 'healthy',
        ...(runId !== null && { runId }),
        ...(serverVersion !== null && { serverVersion }),
      },
      address,
    })
  }

  #addCluster({ members, addressOf, factsOf }: ClusterView): void {
    const { clusters, targets } = this.#result
    const known = members.map(({ nodeId }) => this.#clusterOf.get(nodeId)).find((index) => index !== undefined)
    const cluster = known ?? clusters.push({ ok: true }) - 1
    clusters[cluster] = { ok: true }
    // In an order of their own: a server may print them in another one each time, which is no change.
    for (const member of members.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))) {
      this.#clusterOf.set(member.nodeId, cluster)
      const facts = factsOf.get(member.nodeId)
      const address = addressOf(member)
      // Reached, so alive, whatever the others say of it; not reached as it should be, so not healthy.
      const health = facts !== undefined ? 'healthy' : address !== null ? 'unhealthy' : member.health
      const target: FoundTarget = {
        declared: {
          kind: 'server',
          host: member.host,
          port: member.port,
          role: facts?.role ?? member.role,
          reachable: address !== null,
          health: facts !== undefined && member.health === 'suspect' ? 'suspect' : health,
          clusterNodeId: member.nodeId,
          ...(facts !== undefined && facts.runId !== null && { runId: facts.runId }),
          cluster,
          shard: member.shard,
          slots: member.slots,
          configEpoch: member.configEpoch,
          ...(facts !== undefined && facts.serverVersion !== null && { serverVersion: facts.serverVersion }),
        },
        address,
      }
      const place = targets.findIndex(({ declared }) => declared.clusterNodeId === member.nodeId)
      if (place < 0) targets.push(target)
      else if (!targets[place]!.declared.reachable && address !== null) targets[place] = target
    }
  }

  /** What was found last at that address: the server, or all members of its cluster. */
  #knownWith(address: ServerAddress): FoundTarget[] {
    const before = this.#options.previous?.targets ?? []
    const own = before.find((each) => each.address !== null && isSame(each.address, address))
    if (own?.declared.cluster === undefined) return own === undefined ? [] : [own]
    return before.filter(({ declared }) => declared.cluster === own.declared.cluster)
  }

  /** Declared all the same, as not healthy; with the identity it had, so that it stays the target it was. */
  #addUnanswered(address: ServerAddress, error: string, isCluster = false): void {
    const { clusters, targets, unanswered } = this.#result
    const { host, port } = address
    unanswered.push({ address: describeAddress(address), error })
    const unknown: DeclaredTarget = {
      kind: 'server',
      host,
      port,
      role: 'primary',
      reachable: false,
      health: 'unhealthy',
    }
    const known = this.#knownWith(address)
    let failed: number | undefined
    for (const { declared, address: at } of known.length > 0 ? known : [{ declared: unknown, address }]) {
      const { cluster: before, ...rest } = declared
      const { clusterNodeId } = declared
      if (targets.some((each) => clusterNodeId !== undefined && each.declared.clusterNodeId === clusterNodeId)) continue
      if (isCluster || before !== undefined) {
        failed ??= clusters.push({ ok: false, error }) - 1
        if (clusterNodeId !== undefined) this.#clusterOf.set(clusterNodeId, failed)
      }
      const health = at === null ? declared.health : 'unhealthy'
      targets.push({ declared: { ...rest, health, ...(failed !== undefined && { cluster: failed }) }, address: at })
    }
  }
}

/** Asks all servers of the settings what they are. Never throws: what does not answer is declared as not healthy. */
export const discover = (options: DiscoverOptions): Promise<Discovery> => new Discoverer(options).run()
