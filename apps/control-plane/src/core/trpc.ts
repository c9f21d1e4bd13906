import { ERRORS, newId, SondeError } from '@sonde/contracts'
import { initTRPC } from '@trpc/server'
import type { Authenticate, Principal } from './authenticate.ts'
import { sondeErrorOf, toTrpcError, wireErrorOf } from './error-formatter.ts'
import type { Resources } from './resources.ts'

/** Who is at the other end of a request or of a WebSocket. */
export interface Peer {
  /** A beat that renews a node's credential puts the new one here, so that a connection outlives the one it began with. */
  token: string | undefined
  /** Whom the last call came from. */
  principal: Principal | undefined
}

/** What a call brings. Over HTTP it lives as long as the request, over a WebSocket as long as the connection. */
export interface CallContext {
  resources: Resources
  authenticate: Authenticate
  peer: Peer
  /** Of the HTTP request; each call on a WebSocket gets its own. */
  requestId: string | undefined
  /** Bytes that the socket has not sent yet; 0 over HTTP. A stream waits while this is large. */
  unsentBytes: () => number
}

const t = initTRPC.context<CallContext>().create({
  isDev: false,
  sse: { enabled: false },
  errorFormatter: ({ error, shape, ctx }) => {
    const sondeError = wireErrorOf(error, ctx?.requestId)
    const { rpc, http } = ERRORS[sondeError.code]
    return {
      ...shape,
      message: sondeError.message,
      data: { code: rpc, httpStatus: http, path: shape.data.path, sondeError },
    }
  },
})

export const { router, mergeRouters } = t

/** Calls that come several times a second from every node; one log line each would bury the rest. */
const FREQUENT = new Set(['runtimeNode.heartbeat', 'segments.report', 'runtimeNode.answer'])

/**
 * Runs a call as its caller, measured, logged, and with its error as tRPC wants it. One step for all of it, and a request id
 * only where it is shown: each step of its own costs a frequent call 5 µs, an id 4 µs.
 */
export const observe = async <T>(
  { ctx, path, type }: { ctx: CallContext; path: string; type: string },
  run: (principal: Principal) => Promise<T>,
): Promise<T> => {
  const { log, metrics } = ctx.resources
  const started = performance.now()
  const finish = (code: string): { procedure: string; type: string; durationMs: number } => {
    metrics.rpcInFlight.dec()
    const durationMs = Math.round(performance.now() - started)
    metrics.rpcDuration.observe({ procedure: path, code }, durationMs / 1000)
    return { procedure: path, type, durationMs }
  }
  metrics.rpcInFlight.inc()
  try {
    const principal = await ctx.authenticate(ctx.peer.token)
    ctx.peer.principal = principal
    const result = await run(principal)
    const line = finish('ok')
    if (!FREQUENT.has(path)) log.info({ requestId: ctx.requestId ?? newId(), ...line }, 'answered')
    return result
  } catch (thrown) {
    const error = sondeErrorOf(thrown)
    const requestId = ctx.requestId ?? newId()
    const line = { requestId, ...finish(error.code), code: error.code }
    if (ERRORS[error.code].http >= 500) log.error({ ...line, err: error.cause ?? error }, 'failed')
    else log.warn(line, 'refused')
    throw toTrpcError(error, requestId)
  }
}

const observedAndAuthenticated = t.procedure.use(({ ctx, next, path, type }) =>
  observe({ ctx, path, type }, async (principal) => {
    const result = await next({ ctx: { principal } })
    if (!result.ok) throw result.error
    return result
  }),
)

const ofKind = (kind: Principal['kind']) =>
  observedAndAuthenticated.use(({ ctx, next }) => {
    if (ctx.principal.kind !== kind) {
      throw new SondeError('auth.kind_required', { message: `This call needs the token of a ${kind}.` })
    }
    return next()
  })

/** For people: the console, the CLI, scripts. */
export const personProcedure = ofKind('person')
/** For daemons' own calls about their segments and targets. */
export const nodeProcedure = ofKind('node')
/** For `runtimeNode.*`, which a person may call too for a node that they own. */
export const anyProcedure = observedAndAuthenticated
