import { opsChunksInput, opsCommandsInput, opsTransitionsInput } from '@sonde/contracts'
import { requireCapture } from '../captures/index.ts'
import { personProcedure, router } from '../core/trpc.ts'
import { requireAccess } from '../sessions/index.ts'
import { readChunks, readCommands, readTransitions } from './store.ts'

/** `ops.*`: the views of `sonde_ops` for callers without SQL, with the scope of their sessions. Rights are checked on the primary. */
export const opsRouter = router({
  transitions: personProcedure.input(opsTransitionsInput).query(async ({ ctx, input }) => {
    const { db, readDb } = ctx.resources
    const { sessionId, nodeId, before, limit } = input
    await requireAccess(db, { sessionId, participantId: ctx.principal.participantId, action: 'node.roster' })
    return readTransitions(readDb, { sessionId, nodeId, before, limit })
  }),

  chunks: personProcedure.input(opsChunksInput).query(async ({ ctx, input }) => {
    const { db, readDb } = ctx.resources
    const { participantId } = ctx.principal
    const access = await requireCapture(db, { captureId: input.id, participantId, action: 'capture.read' })
    return readChunks(readDb, { ...access, after: input.after, limit: input.limit })
  }),

  commands: personProcedure.input(opsCommandsInput).query(async ({ ctx, input }) => {
    const { db, readDb } = ctx.resources
    const { participantId } = ctx.principal
    const access = await requireCapture(db, { captureId: input.id, participantId, action: 'capture.read' })
    return readCommands(readDb, access)
  }),
})
