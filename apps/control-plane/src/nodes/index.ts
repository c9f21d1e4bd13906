import type { Resources } from '../core/resources.ts'
import { loop } from '../core/loop.ts'
import { reapSilent } from './reaper.ts'
import { watchRevocations } from './revocations.ts'
import { sweepStaleness } from './sweep.ts'

export { leaseHolders, nodeStates, requireActiveNode } from './active-node.ts'
export type { NodeWork, ReachedPrimary } from './outside.ts'
export { createNodesRouter } from './router.ts'
export { nodeRoutes } from './routes.ts'
export { quickBeat } from './quick-beat.ts'

/** A sweep that is brought forward, because a row is about to cross, is still not more frequent than this. */
const SHORTEST_PAUSE_MS = 1_000
const REAP_EVERY_MS = 60_000

/**
 * Runs the background work on nodes until the process stops: the sweep, the look for revoked nodes, and the reaper where it
 * is asked for.
 */
export const startNodes = async (resources: Resources): Promise<void> => {
  await Promise.all([sweepNodes(resources), watchRevocations(resources), reapNodes(resources)])
}

/** Sweeps every `sweepMs`, and sooner when a row is about to cross a limit. */
const sweepNodes = async (resources: Resources): Promise<void> => {
  const { config, stopping: signal, clock, log } = resources
  const { sweepMs } = config.liveness
  if (sweepMs === null) return
  await loop({
    name: 'node-sweep',
    intervalMs: sweepMs,
    signal,
    clock,
    log,
    work: async () => {
      const { nextCrossingMs } = await sweepStaleness(resources)
      return Math.max(Math.min(SHORTEST_PAUSE_MS, sweepMs), nextCrossingMs ?? sweepMs)
    },
  })
}

const reapNodes = async (resources: Resources): Promise<void> => {
  const { config, stopping: signal, clock, log } = resources
  const { reapAfterMs } = config.liveness
  if (reapAfterMs === null) return
  await loop({
    name: 'node-reaper',
    intervalMs: Math.min(REAP_EVERY_MS, reapAfterMs),
    signal,
    clock,
    log,
    work: async () => {
      await reapSilent(resources, reapAfterMs)
    },
  })
}
