import { seededRandom } from '../measure.ts'

/**
 * `partition`: some nodes are cut off, then not. `clone`: a second process with the id of a node attaches. `pause`: the control
 * plane is stopped for a while (SIGSTOP). `restart`: it is killed (SIGKILL) and started again.
 */
export const ChaosKind = { partition: 'partition', clone: 'clone', pause: 'pause', restart: 'restart' } as const
export type ChaosKind = (typeof ChaosKind)[keyof typeof ChaosKind]

/** Times in milliseconds, `atMs` from when all nodes are online. Nodes are numbers from 0. */
export type ChaosEvent =
  | { kind: 'partition'; atMs: number; nodes: number[]; forMs: number }
  | { kind: 'clone'; atMs: number; node: number }
  | { kind: 'pause'; atMs: number; forMs: number }
  | { kind: 'restart'; atMs: number }

export interface ChaosOptions {
  seed: number
  kinds: readonly ChaosKind[]
  nodes: number
  durationMs: number
  /** After this silence a node is offline. */
  offlineAfterMs: number
}

/** Cut off together: well below the share of a fleet whose silence is held to be nobody's death. */
const PARTITION_SHARE = 0.05

/**
 * What will happen, in the order of time: a pure function of its options, so that a seed replays a run. Each kind happens
 * once in every `offlineAfterMs`, and at least once. The control plane is disturbed by one thing at a time, and no node by
 * two, so that a verdict can be judged by itself.
 */
export const planChaos = (options: ChaosOptions): ChaosEvent[] => {
  const { seed, nodes, durationMs, offlineAfterMs } = options
  const random = seededRandom(seed)
  const kinds = new Set(options.kinds)
  const untouched = shuffled(nodes, random)
  const rounds = Math.max(1, Math.floor(durationMs / offlineAfterMs))
  const roundMs = durationMs / rounds
  const ofControlPlane = [ChaosKind.pause, ChaosKind.restart].filter((kind) => kinds.has(kind))
  const events: ChaosEvent[] = []
  for (let round = 0; round < rounds; round += 1) {
    const from = round * roundMs
    if (kinds.has('partition')) {
      const cut = untouched.splice(0, Math.ceil(nodes * PARTITION_SHARE))
      // Some of them for less than it takes to be offline, some for more.
      const forMs = offlineAfterMs * (0.5 + random())
      if (cut.length > 0) events.push({ kind: 'partition', atMs: from + (random() * roundMs) / 4, nodes: cut, forMs })
    }
    if (kinds.has('clone')) {
      const [node] = untouched.splice(0, 1)
      if (node !== undefined) events.push({ kind: 'clone', atMs: from + random() * roundMs, node })
    }
    ofControlPlane.forEach((kind, at) => {
      const turnMs = roundMs / ofControlPlane.length
      const atMs = from + at * turnMs + (random() * turnMs) / 4
      events.push(kind === 'restart' ? { kind, atMs } : { kind, atMs, forMs: turnMs * (0.25 + random() / 4) })
    })
  }
  return events.toSorted((a, b) => a.atMs - b.atMs)
}

/** The numbers from 0 below `count`, in an order of chance. */
const shuffled = (count: number, random: () => number): number[] => {
  const all = Array.from({ length: count }, (_, at) => at)
  for (let at = count - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    const kept = all[at] ?? 0
    all[at] = all[other] ?? 0
    all[other] = kept
  }
  return all
}
