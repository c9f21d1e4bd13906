import type { LivenessSettings } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import type { Transaction } from 'kysely'
import type { Resources } from '../core/resources.ts'
import { demoteStale, msToNextCrossing, recordRun, tryLockSweep, type Demotion } from './store-sweep.ts'

/** What a sweep needs of the resources record. */
export type SweepResources = Pick<Resources, 'db' | 'log' | 'metrics'> & { config: { liveness: LivenessSettings } }

export interface Sweep {
  /** Only rows that changed. */
  transitions: Demotion[]
  /** Milliseconds until a row may be due; null when none can, or when another replica was sweeping. */
  nextCrossingMs: number | null
}

const BATCH = 1_000

/**
 * Announces liveness that has worsened by silence: `online` to `degraded`, then to `offline`, by the database's clock.
 * Writes presence and transitions only. Runs in one replica at a time; a second sweep at the same moment changes nothing.
 */
export const sweepStaleness = async (resources: SweepResources): Promise<Sweep> => {
  const { db, log, metrics, config } = resources
  const transitions: Demotion[] = []
  let batch: Batch
  do {
    batch = await inTransaction(db, (trx) => sweepBatch(trx, config.liveness, BATCH))
    transitions.push(...batch.demoted)
  } while (batch.demoted.length === BATCH)

  for (const { healthState } of transitions) metrics.transitions.inc({ to: healthState })
  if (transitions.length > 0) {
    log.info({ count: transitions.length, first: transitions.slice(0, 10) }, 'nodes went stale')
  }
  if (batch.ran) metrics.sweepLastRun.setToCurrentTime()
  return { transitions, nextCrossingMs: batch.nextCrossingMs }
}

interface Batch {
  demoted: Demotion[]
  nextCrossingMs: number | null
  /** False when another replica was sweeping. */
  ran: boolean
}

/** One transaction of a sweep: at most `limit` rows. */
export const sweepBatch = async (
  trx: Transaction<Schema>,
  settings: Pick<LivenessSettings, 'degradedAfterMs' | 'offlineAfterMs'>,
  limit: number,
): Promise<Batch> => {
  if (!(await tryLockSweep(trx))) return { demoted: [], nextCrossingMs: null, ran: false }
  await recordRun(trx, settings)
  const demoted = await demoteStale(trx, settings, limit)
  return { demoted, nextCrossingMs: await msToNextCrossing(trx, settings), ran: true }
}
