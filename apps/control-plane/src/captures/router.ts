import {
  answerInput,
  captureExpiryInput,
  captureIdInput,
  captureListInput,
  capturePinInput,
  captureSearchInput,
  captureReadsInput,
  captureStartInput,
  captureStopInput,
  captureTailInput,
  commandsInput,
  ERRORS,
  retentionPreviewInput,
  segmentManifestInput,
  segmentsCommittedInput,
  segmentsReportInput,
  SondeError,
  toSondeError,
  type Capture,
  type CaptureList,
  type CaptureReads,
} from '@sonde/contracts'
import { whileAllowed } from '../core/open-streams.ts'
import type { Resources } from '../core/resources.ts'
import { nodeProcedure, personProcedure, router } from '../core/trpc.ts'
import { requireActiveNode } from '../nodes/index.ts'
import { requireAccess } from '../sessions/index.ts'
import { requireCapture } from './access.ts'
import { answerCommand } from './answer.ts'
import { deliverCommands } from './commands.ts'
import { committedSegments } from './committed.ts'
import { listReads, openRead } from './read-audit.ts'
import { reconcileSegment, reportSegments } from './report.ts'
import { deleteCapture } from './retention.ts'
import { previewRetention, setExpiry, setPinned } from './retention-store.ts'
import { parseFilterText } from './selection.ts'
import { searchCaptures } from './search/index.ts'
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

  search: personProcedure.input(captureSearchInput).query(({ ctx, input, signal }) =>
    searchCaptures(ctx.resources, ctx.principal.participantId, {
      input,
      signal: signal ?? ctx.resources.stopping,
    }),
  ),

  pin: personProcedure.input(capturePinInput).mutation(async ({ ctx, input }) => {
    const { participantId } = ctx.principal
    await requireCapture(ctx.resources.db, { captureId: input.id, participantId, action: 'capture.retain' })
    await setPinned(ctx.resources.db, input.id, input.pinned)
    return shown(ctx.resources, input.id)
  }),

  setExpiry: personProcedure.input(captureExpiryInput).mutation(async ({ ctx, input }) => {
    const { participantId } = ctx.principal
    await requireCapture(ctx.resources.db, { captureId: input.id, participantId, action: 'capture.retain' })
    await setExpiry(ctx.resources.db, input.id, input.afterMs)
    return shown(ctx.resources, input.id)
  }),

  delete: personProcedure.input(captureIdInput).mutation(async ({ ctx, input }) => {
    const { participantId } = ctx.principal
    const request = { captureId: input.id, participantId, action: 'capture.delete' } as const
    const access = await requireCapture(ctx.resources.db, request)
    return deleteCapture(ctx.resources, access, participantId)
  }),

  retentionPreview: personProcedure.input(retentionPreviewInput).query(async ({ ctx, input }) => {
    const { db, config } = ctx.resources
    const { participantId } = ctx.principal
    await requireAccess(db, { sessionId: input.sessionId, participantId, action: 'capture.retain' })
    return { ...(await previewRetention(db, input)), defaultDays: config.captures.retentionDays }
  }),

  reads: personProcedure.input(captureReadsInput).query(async ({ ctx, input }): Promise<CaptureReads> => {
    const { db } = ctx.resources
    const { sessionId, captureId, limit, cursor } = input
    const { participantId } = ctx.principal
    await requireAccess(db, { sessionId, participantId, action: 'capture.reads' })
    const reads = await listReads(db, { sessionId, captureId, limit, cursor })
    const last = reads.length === limit ? reads.at(-1) : undefined
    return { reads, nextCursor: last?.id ?? null }
  }),

  tail: personProcedure.input(captureTailInput).subscription(async function* ({ ctx, input, signal }) {
    const { resources, principal, authenticate, peer, unsentBytes } = ctx
    const { participantId } = principal
    const access = { captureId: input.id, participantId, action: 'capture.tail' } as const
    const { sessionId, role } = await requireCapture(resources.db, access)
    const check = async () => {
      const now = await authenticate(peer.token)
      await requireCapture(resources.db, access)
      return now
    }
    const stream = { right: { principal, sessionId, role, check }, signal: signal ?? resources.stopping }
    const capture = { id: input.id }
    const isFiltered = parseFilterText(input.filter ?? '') !== null
    await using read = await openRead(resources, {
      sessionId,
      captureId: input.id,
      participantId,
      kind: 'tail',
      filter: isFiltered ? (input.filter ?? '').trim() : null,
      segments: input.segments,
    })
    try {
      yield* whileAllowed(resources.openStreams, stream, (allowed) =>
        tail({ resources, capture, input, read, unsentBytes, signal: allowed }),
      )
    } catch (error) {
      if (ERRORS[toSondeError(error).code].http >= 500) read.outcome = 'failed'
      throw error
    }
  }),
})

/** `segments.*`: what nodes tell about the parts that they capture. */
export const segmentsRouter = router({
  report: nodeProcedure
    .input(segmentsReportInput)
    .mutation(({ ctx, input }) => reportSegments(ctx.resources, ctx.principal, input)),
  committed: nodeProcedure
    .input(segmentsCommittedInput)
    .query(({ ctx, input }) => committedSegments(ctx.resources, ctx.principal, input)),
  manifest: nodeProcedure
    .input(segmentManifestInput)
    .mutation(({ ctx, input }) => reconcileSegment(ctx.resources, ctx.principal, input)),
})

/** The part of `runtimeNode.*` that carries commands to nodes and their answers back. */
export const commandsRouter = router({
  commands: nodeProcedure.input(commandsInput).subscription(async function* ({ ctx, input, signal }) {
    const { resources, principal, authenticate, peer } = ctx
    const sessionId = principal.onlySessionId
    if (sessionId === null) throw new SondeError('auth.kind_required')
    const check = async () => {
      const now = await authenticate(peer.token)
      await requireActiveNode(resources.db, { principal: now, ...input })
      return now
    }
    const stream = { right: { principal, sessionId, role: null, check }, signal: signal ?? resources.stopping }
    yield* whileAllowed(resources.openStreams, stream, (allowed) =>
      deliverCommands(resources, { ...input, principal, signal: allowed }),
    )
  }),
  answer: nodeProcedure
    .input(answerInput)
    .mutation(({ ctx, input }) => answerCommand(ctx.resources, ctx.principal, input)),
})
