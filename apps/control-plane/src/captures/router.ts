import {
  answerInput,
  captureIdInput,
  captureListInput,
  captureStartInput,
  captureStopInput,
  captureTailInput,
  commandsInput,
  segmentManifestInput,
  segmentsReportInput,
  SondeError,
  type Capture,
  type CaptureList,
} from '@sonde/contracts'
import type { Resources } from '../core/resources.ts'
import { nodeProcedure, personProcedure, router } from '../core/trpc.ts'
import { requireAccess } from '../sessions/index.ts'
import { requireCapture } from './access.ts'
import { answerCommand } from './answer.ts'
import { deliverCommands } from './commands.ts'
import { reconcileSegment, reportSegments } from './report.ts'
import { startCapture } from './start.ts'
import { stopCapture } from './stop.ts'
import { findCapture, listCaptures } from './store.ts'
import { tail } from './tail.ts'

const shown = async ({ db }: Resources, captureId: string): Promise<Capture> => {
  const capture = await findCapture(db, captureId)
  if (!capture) throw new SondeError('capture.not_found')
  return capture
}

/** `captures.*`: start, stop and read captures. */
export const capturesRouter = router({
  start: personProcedure
    .input(captureStartInput)
    .mutation(({ ctx, input }) => startCapture(ctx.resources, ctx.principal.participantId, input)),

  stop: personProcedure.input(captureStopInput).mutation(async ({ ctx, input }) => {
    const { participantId } = ctx.principal
    await requireCapture(ctx.resources.db, { captureId: input.id, participantId, action: 'capture.stop' })
    return stopCapture(ctx.resources, { captureId: input.id, participantId, waitMs: input.waitMs })
  }),

  get: personProcedure.input(captureIdInput).query(async ({ ctx, input }) => {
    const { participantId } = ctx.principal
    await requireCapture(ctx.resources.db, { captureId: input.id, participantId, action: 'capture.read' })
    return shown(ctx.resources, input.id)
  }),

  list: personProcedure.input(captureListInput).query(async ({ ctx, input }): Promise<CaptureList> => {
    const { db } = ctx.resources
    const { sessionId, limit, status, targetId, startedAfter, startedBefore, cursor } = input
    const { participantId } = ctx.principal
    await requireAccess(db, { sessionId, participantId, action: 'capture.read' })
    const page = { sessionId, limit, status, targetId, startedAfter, startedBefore, cursor }
    const captures = await listCaptures(db, page)
    const last = captures.length === limit ? captures.at(-1) : undefined
    return { captures, nextCursor: last?.id ?? null }
  }),

  tail: personProcedure.input(captureTailInput).subscription(async function* ({ ctx, input, signal }) {
    const { resources, principal, unsentBytes } = ctx
    const { participantId } = principal
    await requireCapture(resources.db, { captureId: input.id, participantId, action: 'capture.tail' })
    const capture = await shown(resources, input.id)
    yield* tail({ resources, capture, input, unsentBytes, signal: signal ?? resources.stopping })
  }),
})

/** `segments.*`: what nodes tell about the parts that they capture. */
export const segmentsRouter = router({
  report: nodeProcedure
    .input(segmentsReportInput)
    .mutation(({ ctx, input }) => reportSegments(ctx.resources, ctx.principal, input)),
  manifest: nodeProcedure
    .input(segmentManifestInput)
    .mutation(({ ctx, input }) => reconcileSegment(ctx.resources, ctx.principal, input)),
})

/** The part of `runtimeNode.*` that carries commands to nodes and their answers back. */
export const commandsRouter = router({
  commands: nodeProcedure.input(commandsInput).subscription(async function* ({ ctx, input, signal }) {
    const ended = signal ?? ctx.resources.stopping
    yield* deliverCommands(ctx.resources, { ...input, principal: ctx.principal, signal: ended })
  }),
  answer: nodeProcedure
    .input(answerInput)
    .mutation(({ ctx, input }) => answerCommand(ctx.resources, ctx.principal, input)),
})
