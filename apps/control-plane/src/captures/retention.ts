import { mayDo, SondeError, type CaptureDeleteResult } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import { loop, pause } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import type { CaptureAccess } from './access.ts'
import { dropUnusedDays, purgeSome } from './purge.ts'
import { bury, lockExpired } from './retention-store.ts'
import { lockCapture } from './segment-store.ts'
import { expireStartKeys } from './start-key.ts'

const SWEEP_MS = 60_000
/** Of one run; what is left is the next one's, which then comes at once. */
const MOST_EXPIRED = 100
const MOST_BATCHES = 100
/** Between two batches of chunks, so that ingest has the disk too. */
const BATCH_PAUSE_MS = 50

type Swept = Pick<Resources, 'db' | 'clock' | 'log' | 'events' | 'stopping'>

/**
 * Deletes a final capture for good; its chunks follow in the background. Throws `auth.role_required` to an operator who did
 * not start it, `capture.still_running`, `capture.pinned`.
 */
export const deleteCapture = async (
  { db, events, log }: Resources,
  { captureId, role }: CaptureAccess,
  participantId: string,
): Promise<CaptureDeleteResult> => {
  const deleted = await inTransaction(db, async (trx) => {
    const locked = await lockCapture(trx, captureId)
    if (!locked) throw new SondeError('capture.not_found')
    const { capture, segments } = locked
    if (!mayDo(role, 'capture.deleteAny') && capture.requested_by !== participantId) {
      throw new SondeError('auth.role_required', {
        message: 'You did not start this capture. Only an owner of the session can delete it.',
      })
    }
    if (capture.status === 'running') throw new SondeError('capture.still_running')
    if (capture.pinned) throw new SondeError('capture.pinned')
    await bury(trx, capture, { reason: 'deleted', deletedBy: participantId })
    return {
      id: captureId,
      lineCount: segments.reduce((sum, segment) => sum + segment.line_count, 0),
      byteCount: segments.reduce((sum, segment) => sum + segment.byte_count, 0),
    }
  })
  events.publish('captures', captureId)
  log.info({ captureId, participantId }, 'a capture was deleted')
  return deleted
}

/** Deletes the captures whose expiry has come. True when there may be more. */
export const expireCaptures = async ({ db, events, log }: Swept): Promise<boolean> => {
  for (let count = 0; count < MOST_EXPIRED; count += 1) {
    const captureId = await inTransaction(db, async (trx) => {
      const capture = await lockExpired(trx)
      if (capture) await bury(trx, capture, { reason: 'expired', deletedBy: null })
      return capture?.id
    })
    if (captureId === undefined) return false
    events.publish('captures', captureId)
    log.info({ captureId }, 'a capture has expired')
  }
  return true
}

/** Deletes chunks of deleted captures, with pauses. True when there may be more. */
export const purgeChunks = async ({ db, clock, stopping }: Swept): Promise<boolean> => {
  await dropUnusedDays(db)
  for (let count = 0; count < MOST_BATCHES && !stopping.aborted; count += 1) {
    if (!(await purgeSome(db))) return false
    await pause(clock, BATCH_PAUSE_MS, stopping)
  }
  return true
}

/** Deletes what has expired, keys of starts too, and the chunks of all that was deleted, each minute; any number of replicas at once. */
export const sweepRetention = (resources: Resources): Promise<void> =>
  loop({
    name: 'retention',
    intervalMs: SWEEP_MS,
    signal: resources.stopping,
    clock: resources.clock,
    log: resources.log,
    work: async () => {
      const moreExpired = await expireCaptures(resources)
      const moreChunks = await purgeChunks(resources)
      const moreKeys = await expireStartKeys(resources.db)
      if (moreExpired || moreChunks || moreKeys) return BATCH_PAUSE_MS
    },
  })
