import type { Route } from '../core/http.ts'
import type { Resources } from '../core/resources.ts'
import { sweepCaptures } from './advance.ts'
import { pollCommands } from './commands.ts'
import { exportRoute } from './export.ts'
import { ingestRoute } from './ingest.ts'
import { sweepRetention } from './retention.ts'

export { capturesRouter, commandsRouter, segmentsRouter } from './router.ts'
export { holdersOf, requestStopOfAll, requestStopOfOlder, workOf } from './store.ts'

/** The data lane and the download. */
export const captureRoutes = (resources: Resources): Route[] => [ingestRoute(resources), exportRoute(resources)]

/** Runs the background work of captures until the process stops. */
export const startCaptures = async (resources: Resources): Promise<void> => {
  await Promise.all([sweepCaptures(resources), pollCommands(resources), sweepRetention(resources)])
}
