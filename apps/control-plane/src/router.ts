import { capturesRouter, commandsRouter, holdersOf, segmentsRouter } from './captures/index.ts'
import { mergeRouters, router } from './core/trpc.ts'
import { nodesRouter } from './nodes/index.ts'
import { sessionsRouter } from './sessions/index.ts'
import { signInRouter } from './sign-in/index.ts'
import { createTargetsRouter } from './targets/index.ts'
import { tokensRouter } from './tokens/index.ts'

/** Every procedure. Daemons call `runtimeNode.*`, `segments.*` and `targets.declare`; people call the rest. */
export const appRouter = router({
  sessions: sessionsRouter,
  tokens: tokensRouter,
  signIn: signInRouter,
  runtimeNode: mergeRouters(nodesRouter, commandsRouter),
  targets: createTargetsRouter(holdersOf),
  captures: capturesRouter,
  segments: segmentsRouter,
})

/** The type that clients are made of; import it as a type only. */
export type AppRouter = typeof appRouter
