import { analysisRouter } from './analysis/index.ts'
import {
  capturesRouter,
  commandsRouter,
  followSession,
  holdersOf,
  requestStopOfAll,
  requestStopOfOlder,
  segmentsRouter,
  workOf,
} from './captures/index.ts'
import { mergeRouters, router } from './core/trpc.ts'
import { createNodesRouter } from './nodes/index.ts'
import { opsRouter } from './ops/index.ts'
import { createPoliciesRouter } from './policies/index.ts'
import { createSessionsRouter } from './sessions/index.ts'
import { signInRouter } from './sign-in/index.ts'
import { createTargetsRouter, primariesOf } from './targets/index.ts'
import { tokensRouter } from './tokens/index.ts'

/** Every procedure. Daemons call `runtimeNode.*`, `segments.*` and `targets.declare`; people call the rest. */
export const appRouter = router({
  sessions: createSessionsRouter(requestStopOfAll),
  tokens: tokensRouter,
  signIn: signInRouter,
  runtimeNode: mergeRouters(createNodesRouter({ primariesOf, workOf }), commandsRouter),
  targets: createTargetsRouter({ holdersOf, followSession }),
  policies: createPoliciesRouter(requestStopOfOlder),
  captures: capturesRouter,
  analysis: analysisRouter,
  segments: segmentsRouter,
  ops: opsRouter,
})

/** The type that clients are made of; import it as a type only. */
export type AppRouter = typeof appRouter
