import { setTimeout as sleep } from 'node:timers/promises'
import type { Capture } from '@sonde/contracts'
import { poll, type Check } from '@sonde/testing'
import { breakAndMend } from './break.ts'
import { compareAcknowledged, compareSegment } from './compare.ts'
import { planFaults, type FaultKind } from './fault-plan.ts'
import { startNumberedLoad, type NumberedLoad } from './numbered-load.ts'
import { readStored } from './stored.ts'
import { openWorld, startCapture, type World } from './world.ts'

export interface CaptureDrillOptions {
  seed: number
  /** How long commands are written and things are broken, in milliseconds. */
  ms: number
  /** @default all */
  kinds?: readonly FaultKind[]
  note?: (line: string) => void
}

/** After the load: what was broken last comes back, spools are shipped, the capture ends. In milliseconds. */
const END_MS = 90_000
const MARGIN_MS = 600_000

/** Captures a real cluster that is written to while everything around it is killed, stopped and cut; then compares set by set. */
export const runCaptureDrill = async (options: CaptureDrillOptions): Promise<Check[]> => {
  const { seed, ms, kinds, note = () => undefined } = options
  await using world = await openWorld()
  const captureId = await startCapture(world, ms + MARGIN_MS)
  const loads: NumberedLoad[] = []
  let broken = 0
  try {
    for (const { servers } of world.shards) loads.push(await startNumberedLoad(servers))
    const begun = performance.now()
    for (const fault of planFaults({ seed, shards: world.shards.length, ms, ...(kinds && { kinds }) })) {
      await sleep(Math.max(0, fault.atMs - (performance.now() - begun)))
      const seconds = Math.round((performance.now() - begun) / 1_000)
      note(`${seconds} s: ${fault.kind}, shard ${fault.shard}, for ${fault.forMs} ms`)
      await breakAndMend(world, fault)
      broken += 1
    }
    await sleep(Math.max(0, ms - (performance.now() - begun)))
  } finally {
    await Promise.all(loads.map((load) => load[Symbol.asyncDispose]()))
  }
  note(`${broken} faults; the capture is stopped`)
  const ended = await endCapture(world, captureId)
  return [
    {
      name: 'the capture ends, with every segment final',
      ok: ended.status !== 'running',
      detail: `${broken} faults, then ${ended.status}: ${ended.segments.map(({ status }) => status).join(', ')}`,
    },
    goneOn(world, ended),
    ...(await compare(world, ended, loads)),
  ]
}

/** That whatever came back was read on: only a server that was killed for good ends its segment. */
const goneOn = ({ shards }: World, { segments }: Capture): Check => {
  const killed = shards.flatMap(({ primary, servers }) => (primary === servers[0] ? [] : [servers[0].port]))
  const early = segments.filter(({ terminationReason }) => terminationReason !== 'manual_stop')
  const wrong = early.filter(({ targetPort }) => !killed.includes(targetPort))
  return {
    name: 'the capture goes on, whatever is started again',
    ok: wrong.length === 0,
    detail: `${segments.length - early.length} of ${segments.length} segments lasted until the stop, ${killed.length} primaries were killed${wrong.map(({ targetPort, terminationReason, terminationDetail }) => `, ${targetPort} ended by ${terminationReason}: ${terminationDetail}`).join('')}`,
  }
}

const endCapture = async ({ rpc }: World, id: string): Promise<Capture> => {
  let latest = await poll(() => rpc.captures.stop.mutate({ id, waitMs: 0 }), {
    what: 'the stop to be taken',
    timeoutMs: END_MS,
  })
  const settled = async () => {
    latest = await rpc.captures.get.query({ id })
    return latest.status !== 'running'
  }
  await poll(settled, { what: 'the capture to end', everyMs: 250, timeoutMs: END_MS }).catch(() => undefined)
  return latest
}

const compare = async (world: World, capture: Capture, loads: readonly NumberedLoad[]): Promise<Check[]> => {
  const sent = new Map(loads.map((load) => [load.tag, load.sent]))
  const checks: Check[] = []
  const stored = new Set<string>()
  for (const segment of capture.segments) {
    const { segmentNo } = segment
    const found = await readStored(world.stage.database, { captureId: capture.id, segmentNo })
    for (const { seq } of found.chunks) stored.add(`${capture.id}/${segmentNo}/${seq}`)
    checks.push(...compareSegment({ segment, stored: found, sent }))
  }
  return [compareAcknowledged(world.acknowledged.chunks, stored), ...checks]
}
