export { requireCapture } from './access.ts'
export { findEarlier, makeProfiles, mergeProfiles } from './profiles/index.ts'
import type { Route } from '../core/http.ts'
import type { Resources } from '../core/resources.ts'
import { sweepCaptures } from './advance.ts'
import { pollCommands } from './commands.ts'
import { exportRoute } from './export/route.ts'
import { ingestRoute } from './ingest.ts'
import { sweepProfiles } from './profiles/index.ts'
import { sweepRetention } from './retention.ts'
import { sweepTopology } from './topology.ts'

export { capturesRouter, commandsRouter, segmentsRouter } from './router.ts'
export { followSession } from './topology.ts'
export { findCapture, holdersOf, requestStopOfAll, requestStopOfOlder, workOf } from './store.ts'

/** The data lane and the download. */
export const captureRoutes = (resources: Resources): Route[] => [ingestRoute(resources), exportRoute(resources)]

/** Runs the background work of captures until the process stops. */
export const startCaptures = async (resources: Resources): Promise<void> => {
  await Promise.all([
    sweepCaptures(resources),
    sweepTopology(resources),
    pollCommands(resources),
    sweepRetention(resources),
    sweepProfiles(resources),
  ])
}
