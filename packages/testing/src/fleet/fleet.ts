import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { nodeDetailSchema } from '@sonde/contracts'
import { Latencies, seededRandom } from '../measure.ts'
import { poll } from '../poll.ts'
import { createWireLane, type WireAnswer } from '../wire-lane.ts'
import type { Span, Verdict } from './judge-verdicts.ts'
import { createSimulatedNode, type FleetPlace, type SimulatedNode } from './simulated-node.ts'

/** A slot that is there already, so that a large fleet need not attach first. */
export interface HeldSlot {
  nodeId: string
  epoch: number
}

export interface FleetOptions {
  place: FleetPlace
  /** How many new nodes to attach, or the slots to go on in. */
  nodes: number | readonly HeldSlot[]
  seed: number
  /** Upper bound of a lane's wait before another try, in milliseconds. @default 10_000 */
  retryCapMs?: number
}

/** How long it took until each node was heard again, in milliseconds by the number of the node. */
export type Returns = ReadonlyMap<number, number>

/** More at once would overrun the listen queue, and be tried again by the kernel a second later. */
const STARTING = 200
const START_MS = 600_000
/** Files that a process needs besides its connections. */
const OTHER_FILES = 100
const READING = 64

/** Thousands of simulated nodes in this process, each with its own connection. Dispose to end them all as if killed. */
export class Fleet implements Disposable {
  readonly place: FleetPlace
  readonly nodes: SimulatedNode[] = []
  /** Answered beats, by how long the answer took. */
  verdicts = new Latencies()
  /** Answers that the control plane owed, by their code: it or its database was overloaded, or gone. */
  readonly troubles = new Map<string, number>()
  /** Refusals by their code; a healthy fleet has none. */
  readonly refusals = new Map<string, number>()
  /** When each node was cut off. The end is infinite while it is. */
  readonly cuts = new Map<number, Span[]>()
  /** By `performance.now()`. */
  readonly #lastBeat: number[] = []
  readonly #random: () => number
  readonly #watches: { since: number; back: Map<number, number> }[] = []
  readonly #retryCapMs: number | undefined
  readonly #fenced = new Map<number, () => void>()

  /** Throws when the process may not open enough connections. */
  constructor({ place, nodes, seed, retryCapMs }: FleetOptions) {
    this.place = place
    this.#retryCapMs = retryCapMs
    this.#random = seededRandom(seed)
    const slots = typeof nodes === 'number' ? Array.from({ length: nodes }, newSlot) : nodes
    assertMayOpen(slots.length)
    slots.forEach(({ nodeId, epoch }, at) => this.nodes.push(this.#create(at, { nodeId, epoch })))
  }

  #create(at: number, slot: { nodeId: string; epoch: number | undefined }): SimulatedNode {
    return createSimulatedNode({
      place: this.place,
      ...slot,
      random: this.#random,
      retryCapMs: this.#retryCapMs,
      events: {
        accepted: (sentAt) => {
          const now = performance.now()
          this.#lastBeat[at] = now
          this.verdicts.record(now - sentAt)
          for (const { since, back } of this.#watches) {
            if (sentAt > since && !back.has(at)) back.set(at, now - since)
          }
        },
        troubled: (code) => void this.troubles.set(code, (this.troubles.get(code) ?? 0) + 1),
        refused: (code) => void this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1),
        fenced: () => this.#fenced.get(at)?.(),
      },
    })
  }

  /** Resolves when all nodes are online. Throws as soon as one is refused. */
  async start(signal?: AbortSignal): Promise<void> {
    let online = 0
    const isOver = (started: number, most: number): boolean => {
      while (this.nodes[online]?.isOnline === true) online += 1
      return signal?.aborted === true || this.refusals.size > 0 || started - online <= most
    }
    const wait = async (started: number, most: number): Promise<void> => {
      const what = 'the nodes of the fleet to be online'
      await poll(() => isOver(started, most), { what, timeoutMs: START_MS })
      signal?.throwIfAborted()
      const [code] = this.refusals.keys()
      if (code !== undefined) throw new Error(`The control plane refused a node: ${code}`)
    }
    for (const [at, node] of this.nodes.entries()) {
      node.start()
      await wait(at + 1, STARTING)
    }
    await wait(this.nodes.length, 0)
  }

  partition(numbers: readonly number[]): void {
    const cut = { from: Date.now(), to: Number.POSITIVE_INFINITY }
    for (const at of numbers) {
      this.cuts.set(at, [...(this.cuts.get(at) ?? []), { ...cut }])
      this.nodes[at]?.partition()
    }
  }

  heal(numbers: readonly number[]): void {
    for (const at of numbers) {
      const cut = this.cuts.get(at)?.at(-1)
      if (cut) cut.to = Date.now()
      this.nodes[at]?.heal()
    }
  }

  /** A newer process with the id of a node takes its place. Resolves with the milliseconds until the older one was told. */
  clone(at: number): Promise<number> {
    const older = this.nodes[at]
    if (!older) throw new Error(`There is no node ${at}`)
    const started = performance.now()
    const newer = this.#create(at, { nodeId: older.nodeId, epoch: undefined })
    this.nodes[at] = newer
    newer.start()
    return new Promise((resolve) => this.#fenced.set(at, () => resolve(performance.now() - started)))
  }

  /** From this moment on, notes when each node is heard again. */
  watchReturns(): Returns {
    const watch = { since: performance.now(), back: new Map<number, number>() }
    this.#watches.push(watch)
    return watch.back
  }

  /** Nodes that were not heard for this long, in milliseconds. */
  silentFor(ms: number): number[] {
    const before = performance.now() - ms
    return [...this.nodes.keys()].filter((at) => (this.#lastBeat[at] ?? 0) < before)
  }

  /** Asks the control plane when it announced any of these nodes offline, since `since` (by the wall clock). */
  async readVerdicts(since: number): Promise<Verdict[]> {
    const { url, token, sessionId } = this.place
    const opened = Promise.withResolvers<void>()
    const lane = createWireLane({ url, token, random: this.#random, onOpen: () => opened.resolve() })
    lane.open()
    await opened.promise
    const show = (nodeId: string): Promise<WireAnswer> =>
      new Promise((resolve) =>
        lane.call({ type: 'query', path: 'runtimeNode.show', input: { sessionId, nodeId } }, resolve),
      )
    const verdicts: Verdict[] = []
    const left = this.nodes.entries()
    const read = async (): Promise<void> => {
      for (const [node, { nodeId }] of left) {
        const answer = await show(nodeId)
        if (answer.kind !== 'answered') throw new Error(`The control plane did not show node ${nodeId}`)
        for (const { axis, to, cause, at: time } of nodeDetailSchema.parse(answer.data).transitions) {
          const at = Date.parse(time)
          if (axis === 'liveness' && to === 'offline' && cause === 'sweep' && at >= since) verdicts.push({ node, at })
        }
      }
    }
    try {
      await Promise.all(Array.from({ length: READING }, read))
      return verdicts
    } finally {
      lane.close()
    }
  }

  async detach(): Promise<void> {
    const left = this.nodes.values()
    const leave = async (): Promise<void> => {
      for (const node of left) await node.detach()
    }
    await Promise.all(Array.from({ length: READING }, leave))
  }

  [Symbol.dispose](): void {
    for (const node of this.nodes) node.close()
  }
}

const newSlot = () => ({ nodeId: `node-${randomBytes(16).toString('hex')}`, epoch: undefined })

const assertMayOpen = (connections: number): void => {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const most = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  if (connections + OTHER_FILES <= most) return
  throw new Error(
    `${connections} nodes need ${connections + OTHER_FILES} open files, but ${most} are allowed. Raise "ulimit -n".`,
  )
}
