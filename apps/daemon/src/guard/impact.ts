/** What a reader may cost the server that it reads. */
export interface ImpactLimits {
  /** Output that the server holds for the reader, in bytes. @default 16 MiB: what it holds, its keys cannot have */
  omemBytes: number
  /** From a line's execution to its reading. @default 5000 */
  lagMs: number
  /** The median round trip within the window is both so many times what it was before, and more than so much. @default 3, 10 ms: on 2 cores at a load of 20 a server that was not disturbed reached 7 ms */
  latency: { factor: number; floorUs: number; windowMs: number }
  /** Used memory as a share of what the server may have. Counts once the reader holds `memoryOmemBytes` itself: a full cache is full without it. */
  memoryShare: number
  memoryOmemBytes: number
  /** Of one core, by the cost model. @default 0.5 */
  cpuShare: number
}

export const IMPACT_DEFAULTS: ImpactLimits = {
  omemBytes: 16 * 2 ** 20,
  lagMs: 5_000,
  latency: { factor: 3, floorUs: 10_000, windowMs: 5_000 },
  memoryShare: 0.95,
  memoryOmemBytes: 2 ** 20,
  cpuShare: 0.5,
}

/** One look at the server; null is unknown and breaks no limit. */
export interface Reading {
  omemBytes: number | null
  roundTripUs: number | null
  usedMemory: number | null
  /** `maxmemory`, or the host's memory where there is none. */
  memoryLimit: number | null
  /** Share of one core that reading is estimated to cost. */
  cpuShare: number | null
}

/** Why reading must end. The detail begins with the signal and has the number and the limit. */
export interface Impact {
  signal: 'omem' | 'lag' | 'latency' | 'memory' | 'cpu'
  detail: string
}

/** Cost above the limit is borne for so long, in milliseconds: `INFO` rates are means over 1.6 s. */
const CPU_WINDOW_MS = 5_000

const percent = (share: number): string => `${Math.round(share * 100)} %`

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Judges readings in their order. Pure but for the readings it remembers of the last seconds; time is given. */
export class ImpactJudge {
  readonly #limits: ImpactLimits
  readonly #baselineUs: number
  #roundTrips: { atMs: number; us: number }[] = []
  #cpuAboveSinceMs: number | null = null
  #firstMs: number | null = null

  /** @param baselineUs the round trip before reading began */
  constructor(limits: ImpactLimits, baselineUs: number) {
    this.#limits = limits
    this.#baselineUs = baselineUs
  }

  /** Median round trip of the window beyond the baseline, in microseconds; null before the first one. */
  get addedLatencyUs(): number | null {
    if (this.#roundTrips.length === 0) return null
    return Math.max(0, Math.round(median(this.#roundTrips.map(({ us }) => us)) - this.#baselineUs))
  }

  judge(reading: Reading, nowMs: number): Impact | null {
    this.#firstMs ??= nowMs
    return this.#omem(reading) ?? this.#memory(reading) ?? this.#latency(reading, nowMs) ?? this.#cpu(reading, nowMs)
  }

  #omem({ omemBytes }: Reading): Impact | null {
    const limit = this.#limits.omemBytes
    if (omemBytes === null || omemBytes < limit) return null
    return { signal: 'omem', detail: `omem: the server held ${omemBytes} bytes for this daemon, ${limit} are allowed` }
  }

  #memory({ omemBytes, usedMemory, memoryLimit }: Reading): Impact | null {
    const { memoryShare, memoryOmemBytes } = this.#limits
    if (omemBytes === null || omemBytes < memoryOmemBytes || usedMemory === null || !memoryLimit) return null
    const share = usedMemory / memoryLimit
    if (share < memoryShare) return null
    const held = `${omemBytes} of it for this daemon`
    return {
      signal: 'memory',
      detail: `memory: the server used ${percent(share)} of its ${memoryLimit} bytes, ${held}`,
    }
  }

  #latency({ roundTripUs }: Reading, nowMs: number): Impact | null {
    const { factor, floorUs, windowMs } = this.#limits.latency
    if (roundTripUs === null) return null
    this.#roundTrips.push({ atMs: nowMs, us: roundTripUs })
    this.#roundTrips = this.#roundTrips.filter(({ atMs }) => atMs > nowMs - windowMs)
    if (this.#firstMs === null || nowMs - this.#firstMs < windowMs) return null
    const now = median(this.#roundTrips.map(({ us }) => us))
    if (now <= floorUs || now <= factor * this.#baselineUs) return null
    const before = `${Math.round(this.#baselineUs)} us before the capture`
    return { signal: 'latency', detail: `latency: a round trip took ${Math.round(now)} us, ${before}` }
  }

  #cpu({ cpuShare }: Reading, nowMs: number): Impact | null {
    if (cpuShare === null) return null
    if (cpuShare <= this.#limits.cpuShare) {
      this.#cpuAboveSinceMs = null
      return null
    }
    this.#cpuAboveSinceMs ??= nowMs
    if (nowMs - this.#cpuAboveSinceMs < CPU_WINDOW_MS) return null
    const limit = percent(this.#limits.cpuShare)
    return {
      signal: 'cpu',
      detail: `cpu: MONITOR costs the server about ${percent(cpuShare)} of a core, ${limit} are allowed`,
    }
  }
}
