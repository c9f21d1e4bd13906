import { seededRandom } from '@sonde/testing'

/** What is done to whom. A cut breaks connections of daemons to the control plane, a stall forwards nothing for a while. */
export const FAULTS = [
  'daemon killed',
  'daemon stopped',
  'control plane killed',
  'control plane stopped',
  'PostgreSQL killed',
  'PostgreSQL stopped',
  'primary stopped',
  'connections cut',
  'connections stalled',
  'monitor cut',
  'primary killed',
] as const
export type FaultKind = (typeof FAULTS)[number]

export interface Fault {
  kind: FaultKind
  /** When, since the begin of the load, in milliseconds. */
  atMs: number
  /** How long what was broken stays so, in milliseconds. */
  forMs: number
  /** Which shard, and so which daemon or primary. */
  shard: number
}

/** Below the time after which a cluster replaces a silent primary. */
const STOPPED_MS = { least: 300, most: 2_000 }
const PAUSE_MS = { least: 1_000, most: 2_500 }

/**
 * Faults one after the other from a seed, the same for the same seed: each kind once in an order of its own, then any. A primary is
 * killed once: its replica takes over, and there is no second one.
 */
export const planFaults = (options: {
  seed: number
  shards: number
  ms: number
  kinds?: readonly FaultKind[]
}): Fault[] => {
  const { seed, shards, ms, kinds = FAULTS } = options
  const random = seededRandom(seed)
  const between = ({ least, most }: { least: number; most: number }) => Math.round(least + random() * (most - least))
  const first = kinds.map((kind) => ({ kind, order: random() })).toSorted((a, b) => a.order - b.order)
  const later = kinds.filter((kind) => kind !== 'primary killed')
  const plan: Fault[] = []
  for (let atMs = between(PAUSE_MS); atMs < ms;) {
    const kind = first[plan.length]?.kind ?? later[Math.floor(random() * later.length)]
    if (kind === undefined) break
    const forMs = between(STOPPED_MS)
    plan.push({ kind, atMs, forMs, shard: Math.floor(random() * shards) })
    atMs += forMs + between(PAUSE_MS)
  }
  return plan
}
