import { newId, systemClock } from '@sonde/contracts'
import { migrationStatus, openDatabase } from '@sonde/database'
import { captureRoutes, startCaptures } from './captures/index.ts'
import type { Config } from './config.ts'
import { createAuthenticate } from './core/authenticate.ts'
import { createEvents } from './core/events.ts'
import { createConsoleFiles } from './core/console-files.ts'
import { healthRoutes } from './core/health.ts'
import { createHttpServer, listenOn } from './core/http.ts'
import { createLog } from './core/log.ts'
import { createMetrics } from './core/metrics.ts'
import { createOpenStreams, watchStreams } from './core/open-streams.ts'
import { pause } from './core/loop.ts'
import type { Resources } from './core/resources.ts'
import { createWebSocketServer } from './core/websocket.ts'
import { nodeRoutes, quickBeat, startNodes } from './nodes/index.ts'
import { appRouter } from './router.ts'
import { signInRoutes } from './sign-in/index.ts'

/** A running control plane. Dispose to drain and stop it. */
export interface ControlPlane extends AsyncDisposable {
  readonly url: string
}

/** Beats, and the lookups of tokens that precede them, are committed in groups, one group of each at a time. */
const BEAT_CONNECTIONS = 2
/** For queries of people, each of which may take its time. */
const READ_CONNECTIONS = 4
/** In-flight requests may take this long once the process is told to stop, in milliseconds. */
const FINISH_MS = 10_000

/**
 * Starts one control-plane replica. Throws a `SondeError` with what to do when the database cannot be used or the port
 * is taken; nothing is left running then.
 */
export const startApp = async (config: Config): Promise<ControlPlane> => {
  await using starting = new AsyncDisposableStack()
  const clock = systemClock
  const log = createLog(config.logLevel)
  const metrics = createMetrics()
  const replicaId = newId()

  const openPool = (maxConnections: number, readOnly = false) =>
    starting.use(
      openDatabase({
        url: readOnly ? config.readDatabaseUrl : config.databaseUrl,
        maxConnections,
        readOnly,
        onIdleError: (error) => log.warn({ err: error }, 'a database connection was lost; the pool replaces it'),
      }),
    )
  const database = openPool(config.databaseConnections)
  const beats = openPool(BEAT_CONNECTIONS)
  const reads = openPool(READ_CONNECTIONS, true)
  await migrationStatus(config.databaseUrl, { requireCurrent: true })

  const events = starting.use(
    createEvents({ db: database.db, databaseUrl: config.databaseUrl, replicaId, clock, log, metrics }),
  )
  const stopping = new AbortController()
  const resources: Resources = {
    config,
    db: database.db,
    beatsDb: beats.db,
    readDb: reads.db,
    clock,
    log: log.child({ replicaId }),
    events,
    openStreams: createOpenStreams(database.db),
    metrics,
    replicaId,
    stopping: stopping.signal,
  }
  const authenticate = createAuthenticate(beats.db, clock)
  const loops = [startNodes(resources), startCaptures(resources), watchStreams(resources)]
  starting.defer(async () => {
    await Promise.all(loops)
  })

  const routes = [
    ...healthRoutes(resources),
    ...signInRoutes(resources),
    ...nodeRoutes(resources),
    ...captureRoutes(resources),
  ]
  const consoleFiles = createConsoleFiles(config.consoleDir)
  const server = createHttpServer({ resources, authenticate, appRouter, routes, consoleFiles })
  starting.defer(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const impatient = setTimeout(() => server.closeAllConnections(), FINISH_MS)
    await closed
    clearTimeout(impatient)
  })
  starting.use(createWebSocketServer({ server, resources, authenticate, appRouter, quick: quickBeat }))
  starting.defer(async () => {
    stopping.abort()
    resources.log.info({ waitMs: config.drainWaitMs }, 'draining')
    await pause(clock, config.drainWaitMs, new AbortController().signal)
  })
  const url = await listenOn(server, config.host, config.port)
  resources.log.info({ url }, 'listening')

  const running = starting.move()
  return { url, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
