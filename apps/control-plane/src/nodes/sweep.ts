import type { LivenessSettings } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import type { Resources } from '../core/resources.ts'
import { massSilence, type FleetGroup } from './breaker.ts'
import {
  countSilence,
  demoteStale,
  heldForMs,
  holdVerdicts,
  msToNextCrossing,
  recordRun,
  tryLockSweep,
  type Demotion,
  type Limits,
} from './store-sweep.ts'

/** What a sweep needs of the resources record. */
export type SweepResources = Pick<Resources, 'db' | 'log' | 'metrics'> & { config: { liveness: LivenessSettings } }

export interface Sweep {
  /** Only rows that changed. */
  transitions: Demotion[]
  /** Silent nodes whose verdict was withheld. */
  held: number
  /** Milliseconds until a row may be due; null when none can, or when another replica was sweeping. */
  nextCrossingMs: number | null
}

const BATCH = 1_000

/**
 * Announces liveness that has worsened by silence: `online` to `degraded`, then to `offline`, by the database's clock.
 * Writes presence and transitions only. Runs in one replica at a time; a second sweep at the same moment changes nothing.
 * Withholds a mass verdict for a while, see {@link massSilence}.
 */
export const sweepStaleness = async (resources: SweepResources): Promise<Sweep> => {
  const { db, log, metrics, config } = resources
  const transitions: Demotion[] = []
  let batch: Batch
  do {
    batch = await inTransaction(db, (trx) => sweepBatch(trx, config.liveness, BATCH))
    transitions.push(...batch.demoted)
    if (batch.opened) {
      metrics.breakerOpened.inc()
      log.error({ count: batch.held, groups: batch.withheld }, 'too many nodes fell silent at once; no verdict yet')
    }
  } while (batch.demoted.length === BATCH)

  for (const { healthState } of transitions) metrics.transitions.inc({ to: healthState })
  if (transitions.length > 0) {
    log.info({ count: transitions.length, first: transitions.slice(0, 10) }, 'nodes went stale')
  }
  if (batch.ran) {
    metrics.sweepLastRun.setToCurrentTime()
    metrics.heldVerdicts.set(batch.held)
  }
  return { transitions, held: batch.held, nextCrossingMs: batch.nextCrossingMs }
}

interface Batch {
  demoted: Demotion[]
  /** Groups whose verdicts are withheld, and how many verdicts these are. */
  withheld: FleetGroup[]
  held: number
  /** Whether nothing was withheld before. */
  opened: boolean
  nextCrossingMs: number | null
  /** False when another replica was sweeping. */
  ran: boolean
}

/** One transaction of a sweep: at most `limit` rows. */
export const sweepBatch = async (trx: Transaction<Schema>, settings: Limits, limit: number): Promise<Batch> => {
  if (!(await tryLockSweep(trx))) {
    return { demoted: [], withheld: [], held: 0, opened: false, nextCrossingMs: null, ran: false }
  }
  await recordRun(trx, settings)
  const heldBeforeMs = await heldForMs(trx)
  const tooLong = heldBeforeMs !== null && heldBeforeMs > settings.breaker.holdMs
  const withheld = tooLong ? [] : massSilence(await countSilence(trx, settings), settings.breaker)
  const held = withheld.length === 0 ? 0 : await holdVerdicts(trx, settings, withheld)
  const demoted = await demoteStale(trx, settings, { limit, withheld })
  return {
    demoted,
    withheld,
    held,
    opened: held > 0 && heldBeforeMs === null,
    nextCrossingMs: await msToNextCrossing(trx, settings),
    ran: true,
  }
}
