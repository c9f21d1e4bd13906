/** Times in milliseconds since 1970. */
export interface Span {
  from: number
  to: number
}

export interface Verdict {
  /** Which node, from 0. */
  node: number
  /** When it was announced offline. */
  at: number
}

export interface JudgeOptions {
  verdicts: readonly Verdict[]
  /** When each node was cut off, by its number. */
  cuts: ReadonlyMap<number, readonly Span[]>
  /** When the control plane could hear nobody. */
  outages: readonly Span[]
  heartbeatMs: number
  offlineAfterMs: number
}

/**
 * The verdicts that a node did not deserve: it was not cut off, or not for long enough, or back for longer than it takes to
 * beat again. Its last beat may be older than its cut by a period, and clocks and timers are given another one.
 */
export const falseVerdicts = (options: JudgeOptions): Verdict[] => {
  const { verdicts, cuts, outages, heartbeatMs, offlineAfterMs } = options
  const isDeserved = ({ at }: Verdict, cut: Span): boolean => {
    const heardBy = outages
      .filter(({ from, to }) => from <= cut.to + heartbeatMs && to >= cut.from)
      .reduce((latest, outage) => Math.max(latest, outage.to), cut.to)
    return at >= cut.from + offlineAfterMs - 2 * heartbeatMs && at <= heardBy + heartbeatMs
  }
  return verdicts.filter((verdict) => !(cuts.get(verdict.node) ?? []).some((cut) => isDeserved(verdict, cut)))
}
