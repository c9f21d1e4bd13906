import { analysisDiffInput, BaselineWindow, crossReferenceInput } from '@sonde/contracts'
import { requireCapture } from '../captures/index.ts'
import { personProcedure, router } from '../core/trpc.ts'
import { crossReference, crossReferenceWith } from './cross-reference.ts'
import { diffCaptures } from './diff.ts'

const isWindow = (baseline: string): baseline is BaselineWindow => baseline in BaselineWindow

/** Aborts when the time for counting is up, or the caller is gone. */
const countingSignal = (waitMs: number, signal: AbortSignal): AbortSignal =>
  waitMs === 0 ? AbortSignal.abort() : AbortSignal.any([signal, AbortSignal.timeout(waitMs)])

/** `analysis.*`: what is new in a capture, against another one or against history. */
export const analysisRouter = router({
  diff: personProcedure.input(analysisDiffInput).query(async ({ ctx, input, signal }) => {
    const { resources, principal } = ctx
    const { a, b, limit, waitMs } = input
    const request = { participantId: principal.participantId, action: 'capture.read' } as const
    for (const captureId of [a, b]) await requireCapture(resources.db, { captureId, ...request })
    return diffCaptures(resources, { a, b, limit, counting: countingSignal(waitMs, signal ?? resources.stopping) })
  }),

  crossReference: personProcedure.input(crossReferenceInput).query(async ({ ctx, input, signal }) => {
    const { resources, principal } = ctx
    const { captureId, baseline, limit, waitMs } = input
    const request = { participantId: principal.participantId, action: 'capture.read' } as const
    await requireCapture(resources.db, { captureId, ...request })
    const counting = countingSignal(waitMs, signal ?? resources.stopping)
    if (isWindow(baseline)) return crossReference(resources, { captureId, limit, counting, window: baseline })
    await requireCapture(resources.db, { captureId: baseline, ...request })
    return crossReferenceWith(resources, { captureId, limit, counting, other: baseline })
  }),
})
