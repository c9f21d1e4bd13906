import { Profile } from '@sonde/capture-format/profile'
import { SondeError, type Capture } from '@sonde/contracts'
import { findCapture, makeProfiles, mergeProfiles } from '../captures/index.ts'
import type { Resources } from '../core/resources.ts'
import { secondsOf, type Side, type SideTarget } from './side.ts'

export interface SideRequest {
  captureIds: readonly string[]
  /** Only these targets; null is all. */
  targetIds: ReadonlySet<string> | null
  leftOut?: string | null
  /** When it aborts, the answer is given without what is not counted yet. */
  counting: AbortSignal
}

/** What the lines of some captures do, all together. Throws `capture.not_found` where one was deleted meanwhile. */
export const loadSide = async (resources: Resources, request: SideRequest): Promise<Side> => {
  const { db, clock } = resources
  const { captureIds, targetIds, leftOut = null, counting } = request
  const profile = new Profile()
  const captures: Capture[] = []
  const targets = new Map<string, SideTarget>()
  for (const captureId of captureIds) {
    await makeProfiles(resources, captureId, counting)
    const capture = await findCapture(db, captureId)
    if (!capture) throw new SondeError('capture.not_found')
    const segments = capture.segments.filter(
      ({ targetId, status }) => status !== 'skipped' && (targetIds === null || targetIds.has(targetId)),
    )
    for (const segment of segments) {
      const before = profile.lines
      await mergeProfiles(db, { captureId, segmentNo: segment.segmentNo }, profile)
      const { targetId, targetHost, targetPort, shard } = segment
      const known = targets.get(targetId) ?? {
        targetId,
        target: `${targetHost}:${targetPort}`,
        shard,
        lines: 0,
        seconds: 0,
      }
      known.lines += profile.lines - before
      known.seconds += secondsOf(segment, clock.now())
      targets.set(targetId, known)
    }
    const lineCount = segments.reduce((sum, each) => sum + each.lineCount, 0)
    const byteCount = segments.reduce((sum, each) => sum + each.byteCount, 0)
    captures.push({ ...capture, lineCount, byteCount, segments })
  }
  return { captures, profile, targets: [...targets.values()], leftOut }
}
