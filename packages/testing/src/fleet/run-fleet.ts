import { setTimeout as sleep } from 'node:timers/promises'
import { Latencies } from '../measure.ts'
import { poll } from '../poll.ts'
import type { Check } from '../report.ts'
import { planChaos, type ChaosEvent, type ChaosKind } from './chaos-plan.ts'
import { Fleet, type Returns } from './fleet.ts'
import { falseVerdicts, type Span } from './judge-verdicts.ts'
import type { FleetPlace } from './simulated-node.ts'

/** What a run may do to the control plane; only where it is the run's own. */
export interface ControlPlaneControl {
  kill(signal: NodeJS.Signals): Promise<void>
  restart(): Promise<void>
}

export interface RunFleetOptions {
  place: FleetPlace
  nodes: number
  seed: number
  chaos: readonly ChaosKind[]
  /** From when all nodes are online. What the plan begins comes to its end after it. In milliseconds. */
  durationMs: number
  /** As the control plane is set. */
  liveness: { heartbeatMs: number; offlineAfterMs: number }
  /** Needed for `pause` and `restart`. */
  control?: ControlPlaneControl | undefined
  /** Told what happens. */
  note: (line: string) => void
  signal?: AbortSignal
  /** Give the slots back at the end. @default false */
  detach?: boolean
}

/** What a run of a simulated fleet came to. */
export interface FleetReport {
  name: 'fleet-sim'
  seed: number
  figures: Record<string, number>
  checks: Check[]
  ok: boolean
}

/** A fleet must be whole again this long after its control plane was killed. */
const RECONNECT_MS = 60_000

/** Runs a simulated fleet through a plan of chaos, and judges what the control plane made of it. */
export const runFleet = async (options: RunFleetOptions): Promise<FleetReport> => {
  const { place, nodes, seed, chaos, durationMs, liveness, control, note, signal } = options
  const { heartbeatMs, offlineAfterMs } = liveness
  // 10 s of the usual 15 s, which is what the real client waits at most.
  using fleet = new Fleet({ place, nodes, seed, retryCapMs: (heartbeatMs * 2) / 3 })
  const opened = performance.now()
  await fleet.start(signal)
  const startMs = performance.now() - opened
  note(`${nodes} nodes online after ${(startMs / 1_000).toFixed(1)} s`)

  fleet.verdicts = new Latencies()
  const since = Date.now()
  const wait = (ms: number) => sleep(ms, undefined, signal && { signal })
  const outages: Span[] = []
  const returns: Returns[] = []
  const told: number[] = []
  let clones = 0
  const outage = async (down: () => Promise<void>): Promise<void> => {
    const span = { from: Date.now(), to: Number.POSITIVE_INFINITY }
    outages.push(span)
    await down()
    span.to = Date.now()
  }
  const act = async (event: ChaosEvent): Promise<void> => {
    await wait(event.atMs)
    note(`${(event.atMs / 1_000).toFixed(1)} s: ${wordsOf(event)}`)
    switch (event.kind) {
      case 'partition':
        fleet.partition(event.nodes)
        await wait(event.forMs)
        return fleet.heal(event.nodes)
      case 'clone':
        clones += 1
        // Not awaited: an older process that is never told is a finding, not a reason to wait for ever.
        void fleet.clone(event.node).then((ms) => told.push(ms))
        return
      case 'pause':
        return outage(async () => {
          await control?.kill('SIGSTOP')
          await wait(event.forMs).finally(() => control?.kill('SIGCONT'))
        })
      case 'restart':
        return outage(async () => {
          await control?.kill('SIGKILL')
          returns.push(fleet.watchReturns())
          await control?.restart()
        })
    }
  }
  const plan = planChaos({ seed, kinds: chaos, nodes, durationMs, offlineAfterMs })
  let beats = 0
  await Promise.all([...plan.map(act), wait(durationMs).then(() => (beats = fleet.verdicts.count))])
  // Until what fell silent at the very end would be announced, and everybody is back: a lane tries again after 10 s at most.
  if (plan.length > 0) await wait(offlineAfterMs + 2 * heartbeatMs)
  const whole = () => signal?.aborted === true || fleet.silentFor(2 * heartbeatMs).length === 0
  await poll(whole, { what: 'all nodes to beat', timeoutMs: RECONNECT_MS }).catch(() => undefined)
  signal?.throwIfAborted()

  const verdicts = await fleet.readVerdicts(since)
  const wrong = falseVerdicts({ verdicts, cuts: fleet.cuts, outages, heartbeatMs, offlineAfterMs })
  const silent = fleet.silentFor(2 * heartbeatMs)
  const refused = [...fleet.refusals].map(([code, count]) => `${count} ${code}`)
  if (options.detach === true) await fleet.detach()

  const due = [...fleet.cuts].filter(([, spans]) => spans.some((cut) => isDue(cut, outages, offlineAfterMs)))
  const unseen = due.filter(([node]) => !verdicts.some((verdict) => verdict.node === node))
  const undisturbed = (at: number): boolean => !fleet.cuts.has(at)
  const expected = [...fleet.nodes.keys()].filter(undisturbed)
  const missing = returns.flatMap((back) => expected.filter((at) => !back.has(at)))
  const backMs = new Latencies()
  const lastMs = Math.max(0, ...returns.flatMap((back) => expected.map((at) => back.get(at) ?? 0)))
  for (const back of returns) for (const at of expected) backMs.record(back.get(at) ?? RECONNECT_MS)

  const checks: Check[] = [
    {
      name: 'noFalseVerdict',
      ok: wrong.length === 0,
      detail: `${wrong.length} false of ${verdicts.length} verdicts offline`,
    },
    {
      name: 'everyDeathSeen',
      ok: unseen.length === 0,
      detail: `${due.length - unseen.length} of ${due.length} that were cut off for long enough`,
    },
    { name: 'everyNodeBeats', ok: silent.length === 0, detail: `${nodes - silent.length} of ${nodes} at the end` },
    { name: 'noRefusal', ok: refused.length === 0, detail: refused.join(', ') || 'none' },
  ]
  if (returns.length > 0) {
    checks.push({
      name: 'reconnected',
      ok: missing.length === 0 && lastMs <= RECONNECT_MS,
      detail: `${missing.length} missing, the last after ${(lastMs / 1_000).toFixed(1)} s`,
    })
  }
  if (clones > 0) {
    checks.push({ name: 'olderCloneTold', ok: told.length === clones, detail: `${told.length} of ${clones}` })
  }
  return {
    name: 'fleet-sim',
    seed,
    figures: {
      nodes,
      startMs,
      beatsPerSecond: beats / (durationMs / 1_000),
      verdictP50Ms: fleet.verdicts.percentile(0.5),
      verdictP99Ms: fleet.verdicts.percentile(0.99),
      offlineVerdicts: verdicts.length,
      falseVerdicts: wrong.length,
      serverTroubles: [...fleet.troubles.values()].reduce((sum, count) => sum + count, 0),
      ...(returns.length > 0 && { reconnectP50Ms: backMs.percentile(0.5), reconnectLastMs: lastMs }),
      ...(told.length > 0 && { cloneToldMs: Math.max(...told) }),
    },
    checks,
    ok: checks.every(({ ok }) => ok),
  }
}

/** Whether a silence must have been announced: longer than the limit and a sweep, and nothing was held against nobody meanwhile. */
const isDue = (cut: Span, outages: readonly Span[], offlineAfterMs: number): boolean =>
  cut.to - cut.from > 1.15 * offlineAfterMs && !outages.some(({ from, to }) => from <= cut.to && to >= cut.from)

const wordsOf = (event: ChaosEvent): string => {
  switch (event.kind) {
    case 'partition':
      return `${event.nodes.length} nodes cut off for ${(event.forMs / 1_000).toFixed(1)} s`
    case 'clone':
      return `node ${event.node} cloned`
    case 'pause':
      return `control plane stopped for ${(event.forMs / 1_000).toFixed(1)} s`
    case 'restart':
      return 'control plane killed, and started again'
  }
}
