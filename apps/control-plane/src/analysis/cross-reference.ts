import type { BaselineWindow, CrossReference } from '@sonde/contracts'
import { findEarlier } from '../captures/index.ts'
import type { Resources } from '../core/resources.ts'
import { compareSides } from './compare.ts'
import { diffCaptures } from './diff.ts'
import { loadSide } from './load-side.ts'

const UNAVAILABLE: CrossReference['unavailable'] = [
  { axis: 'slow', reason: 'The nodes do not sample the slow log and the command log.' },
  { axis: 'access', reason: 'The nodes do not sample the ACL log and the error counters.' },
]

interface Request {
  captureId: string
  limit: number
  counting: AbortSignal
}

/** A capture against the earlier ones of its targets in a window. Nothing is checked here. */
export const crossReference = async (
  resources: Resources,
  { captureId, limit, counting, window }: Request & { window: BaselineWindow },
): Promise<CrossReference> => {
  const capture = await loadSide(resources, { captureIds: [captureId], targetIds: null, counting })
  const { captureIds, leftOut, fromUs, toUs } = await findEarlier(resources.db, captureId, window)
  const baseline = await loadSide(resources, {
    captureIds,
    targetIds: new Set(capture.targets.map(({ targetId }) => targetId)),
    leftOut: leftOut === 0 ? null : `the oldest ${leftOut} captures of the window are left out`,
    counting,
  })
  const read = baseline.targets.reduce((sum, { seconds }) => sum + seconds, 0)
  const most = (capture.targets.length * (toUs - fromUs)) / 1e6
  const coverage = most === 0 ? 0 : Math.min(1, read / most)
  return {
    ...compareSides(capture, baseline, limit),
    baseline: { window, fromUs, toUs, coverage },
    unavailable: UNAVAILABLE,
  }
}

/** A capture against another one. Both must be readable by the caller: nothing is checked here. */
export const crossReferenceWith = async (
  resources: Resources,
  { captureId, limit, counting, other }: Request & { other: string },
): Promise<CrossReference> => ({
  ...(await diffCaptures(resources, { a: captureId, b: other, limit, counting })),
  baseline: { window: 'capture', fromUs: null, toUs: null, coverage: null },
  unavailable: UNAVAILABLE,
})
