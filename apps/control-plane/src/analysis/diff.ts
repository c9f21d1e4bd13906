import type { AnalysisDiff } from '@sonde/contracts'
import type { Resources } from '../core/resources.ts'
import { compareSides, sameCapture } from './compare.ts'
import { loadSide } from './load-side.ts'

/** What differs between two captures. Both must be readable by the caller: nothing is checked here. */
export const diffCaptures = async (
  resources: Resources,
  request: { a: string; b: string; limit: number; counting: AbortSignal },
): Promise<AnalysisDiff> => {
  const { a, b, limit, counting } = request
  const sideOf = (id: string) => loadSide(resources, { captureIds: [id], targetIds: null, counting })
  const sideA = await sideOf(a)
  return a === b ? sameCapture(sideA) : compareSides(sideA, await sideOf(b), limit)
}
