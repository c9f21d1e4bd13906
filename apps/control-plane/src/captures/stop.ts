import { SondeError, type Capture } from '@sonde/contracts'
import type { Resources } from '../core/resources.ts'
import { advance } from './advance.ts'
import { findCapture, requestStop } from './store.ts'

/**
 * Stops a capture and answers its final row, or, when that takes longer than `waitMs`, the row with `stopRequestedAt`; it
 * then ends by itself. Stopping a final capture answers its row. It stops; it never deletes.
 */
export const stopCapture = async (
  resources: Resources,
  request: { captureId: string; participantId: string; waitMs: number },
): Promise<Capture> => {
  const { db, events, clock, stopping } = resources
  const { captureId, participantId, waitMs } = request
  using watch = events.watch('captures', captureId)
  await requestStop(db, captureId, participantId)
  await advance(resources, captureId)
  const deadline = clock.monotonicMs() + waitMs
  for (;;) {
    const capture = await findCapture(db, captureId)
    if (!capture) throw new SondeError('capture.not_found')
    const left = deadline - clock.monotonicMs()
    if (capture.status !== 'running' || left <= 0 || stopping.aborted) return capture
    await watch.wait(Math.min(left, 1_000), stopping)
  }
}
