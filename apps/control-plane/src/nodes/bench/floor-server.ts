import { CAPTURE_LIMITS, heartbeatInput, newId, systemClock, type HeartbeatInput } from '@sonde/contracts'
import { openDatabase } from '@sonde/database'
import { readConfig } from '../../config.ts'
import { createEvents } from '../../core/events.ts'
import { createHttpServer, listenOn } from '../../core/http.ts'
import { createLog } from '../../core/log.ts'
import { createMetrics } from '../../core/metrics.ts'
import { createOpenStreams } from '../../core/open-streams.ts'
import type { QuickCall } from '../../core/quick-call.ts'
import type { Resources } from '../../core/resources.ts'
import { anyProcedure, router } from '../../core/trpc.ts'
import { createWebSocketServer } from '../../core/websocket.ts'
import type { AppRouter } from '../../router.ts'

const answerOf = ({ config }: Resources, input: HeartbeatInput) => ({
  state: 'online',
  liveness: input.healthState,
  readOnly: false,
  epoch: input.epoch ?? 0,
  nextHeartbeatMs: config.liveness.heartbeatMs,
  creditBytes: CAPTURE_LIMITS.creditBytes,
})

/** The lane of the real control plane, with a heartbeat that answers the same and asks no database: the floor. */
const floorRouter = router({
  runtimeNode: router({
    heartbeat: anyProcedure.input(heartbeatInput).mutation(({ ctx, input }) => answerOf(ctx.resources, input)),
  }),
}) as unknown as AppRouter
const quick: QuickCall = {
  path: 'runtimeNode.heartbeat',
  run: ({ ctx, input }) => Promise.resolve(answerOf(ctx.resources, heartbeatInput.parse(input))),
}

const config = readConfig(process.env)
const clock = systemClock
const log = createLog(config.logLevel)
const metrics = createMetrics()
const replicaId = newId()
const { db } = openDatabase({ url: config.databaseUrl })
const events = createEvents({ db, databaseUrl: config.databaseUrl, replicaId, clock, log, metrics })
const stopping = new AbortController().signal
const openStreams = createOpenStreams(db)
const resources: Resources = {
  config,
  db,
  beatsDb: db,
  readDb: db,
  clock,
  log,
  events,
  openStreams,
  metrics,
  replicaId,
  stopping,
}
const principal = {
  kind: 'person',
  participantId: newId(),
  tokenId: newId(),
  onlySessionId: null,
  nodeId: null,
  isRenewalDue: false,
} as const
const authenticate = () => Promise.resolve(principal)

const server = createHttpServer({ resources, authenticate, appRouter: floorRouter, routes: [] })
createWebSocketServer({ server, resources, authenticate, appRouter: floorRouter, quick })
process.send?.({ kind: 'listening', url: await listenOn(server, '127.0.0.1', 0) })
process.on('SIGTERM', () => process.exit())
process.on('disconnect', () => process.exit())
