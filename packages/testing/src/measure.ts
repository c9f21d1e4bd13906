import { readFileSync, readdirSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'

/** What numbers were measured on; nothing that names a host or a folder. */
export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  platform: string
  node: string
  postgres: string
}

/** This machine; `postgres` is the answer to `show server_version`. */
export const describeMachine = (postgres: string): Machine => {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
    node: process.versions.node,
    postgres,
  }
}

/** Ticks of /proc a second, on every Linux there is. */
const TICKS = 100

const statOf = (pid: number): string[] => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

const seconds = (fields: readonly string[], ...at: number[]): number =>
  at.reduce((sum, index) => sum + Number(fields[index] ?? 0), 0) / TICKS

/** CPU seconds that a process has used. Linux only. */
export const cpuOf = (pid: number): number => seconds(statOf(pid), 11, 12)

/** The processes that a process has started and that are there. Linux only. */
export const childrenOf = (pid: number): number[] =>
  readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) && statOf(Number(name))[1] === String(pid) ? [Number(name)] : [],
  )

/** CPU seconds of a process with all its children, those that have ended included: PostgreSQL with its backends. Linux only. */
export const cpuOfTree = (pid: number): number => {
  const own = seconds(statOf(pid), 11, 12, 13, 14)
  return childrenOf(pid).reduce((sum, child) => sum + seconds(statOf(child), 11, 12), own)
}

/** Resident memory of a process, in bytes. Linux only. */
export const memoryOf = (pid: number): number => {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) * 1024
}

/** The middle one; of an even number the mean of the two in the middle. NaN of none. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (upper + lower) / 2
}

/** Largest less smallest, as a part of the median: how far to trust it. */
export const spread = (values: readonly number[]): number =>
  (Math.max(...values) - Math.min(...values)) / median(values)

/** Each bucket of a {@link Latencies} is wider than the one before by this much. */
const STEP = 1.01
const SMALLEST_MS = 0.01
const BUCKETS = 2_000

/** Times by the million in constant memory, exact to 1 %, from 0.01 ms to an hour. */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS)
  count = 0

  record(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.round(Math.log(ms / SMALLEST_MS) / Math.log(STEP))
    const at = Math.min(bucket, BUCKETS - 1)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.count += 1
  }

  /** The time in milliseconds that `share` (0 to 1) of all stay within; 0 when there are none. */
  percentile(share: number): number {
    let left = share * this.count
    for (let at = 0; at < BUCKETS; at += 1) {
      left -= this.#counts[at] ?? 0
      if (left <= 0 && this.count > 0) return SMALLEST_MS * STEP ** at
    }
    return 0
  }
}

/** A number with three digits that count, so that a report does not claim more. */
export const rounded = (value: number): number => Number(value.toPrecision(3))

/** Numbers in 0 (inclusive) to 1 (exclusive) that are the same for the same seed, in any process. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
