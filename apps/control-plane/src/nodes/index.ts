import type { Resources } from '../core/resources.ts'
import { loop } from '../core/loop.ts'
import { sweepStaleness } from './sweep.ts'

export { leaseHolders, nodeStates, requireActiveNode } from './active-node.ts'
export type { NodeWork, ReachedPrimary } from './outside.ts'
export { createNodesRouter } from './router.ts'

/** A sweep that is brought forward, because a row is about to cross, is still not more frequent than this. */
const SHORTEST_PAUSE_MS = 1_000

/** Runs the staleness sweep until the process stops: every `sweepMs`, and sooner when a row is about to cross a limit. */
export const startNodes = (resources: Resources): Promise<void> => {
  const { sweepMs } = resources.config.liveness
  if (sweepMs === null) return Promise.resolve()
  return loop({
    name: 'node-sweep',
    intervalMs: sweepMs,
    signal: resources.stopping,
    clock: resources.clock,
    log: resources.log,
    work: async () => {
      const { nextCrossingMs } = await sweepStaleness(resources)
      return Math.max(Math.min(SHORTEST_PAUSE_MS, sweepMs), nextCrossingMs ?? sweepMs)
    },
  })
}
