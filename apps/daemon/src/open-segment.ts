import type { Clock, CommandResult } from '@sonde/contracts'
import type { ImpactLimits } from './guard/impact.ts'
import { refused } from './refusal.ts'
import type { Segment } from './segment.ts'
import type { ReadableTarget } from './targets.ts'

const FACTS_MS = 1_000
const UNKNOWN_FACTS = { serverVersion: null, role: 'primary', monitorCpuShare: null } as const

export interface OpenSegmentOptions {
  /** What reading may cost a server. */
  impact: Pick<ImpactLimits, 'cpuShare'>
  clock: Clock
}

/** Opens a segment at its target, unless reading is predicted to cost the server more than it may. */
export const openSegment = async (
  segment: Segment,
  target: ReadableTarget,
  { impact: { cpuShare }, clock }: OpenSegmentOptions,
): Promise<CommandResult> => {
  try {
    const { monitorCpuShare, serverVersion, role } = await factsOf(target, clock)
    if (monitorCpuShare !== null && monitorCpuShare > cpuShare) {
      const [predicted, allowed] = [monitorCpuShare, cpuShare].map((share) => `${Math.round(share * 100)} %`)
      return refused('impact_limit', `cpu: MONITOR would cost about ${predicted} of a core, ${allowed} are allowed`)
    }
    const dialect = await segment.open(target)
    const { policyProof: policy } = segment
    return { kind: 'opened', serverVersion, dialect, role, ...(policy && { policy }) }
  } catch (error) {
    return refused('monitor_open_failed', error instanceof Error ? error.message : String(error))
  }
}

/** A server that does not answer this soon is not held up: opening says more about it. */
const factsOf = async (target: ReadableTarget, clock: Clock): ReturnType<ReadableTarget['facts']> => {
  const { promise: late, resolve } = Promise.withResolvers<typeof UNKNOWN_FACTS>()
  const timer = clock.setTimeout(() => resolve(UNKNOWN_FACTS), FACTS_MS)
  const facts = await Promise.race([target.facts().catch(() => UNKNOWN_FACTS), late])
  clock.clearTimeout(timer)
  return facts
}
