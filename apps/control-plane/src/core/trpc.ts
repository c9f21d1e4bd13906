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

/** One step for both, and a request id only where it is shown: each step of its own costs a frequent call 5 µs, an id 4 µs. */
const observedAndAuthenticated = t.procedure.use(async ({ ctx, next, path, type }) => {
  const { log, metrics } = ctx.resources
  const started = performance.now()
  metrics.rpcInFlight.inc()
  const caller = await ctx.authenticate(ctx.peer.token).then(
    (principal) => ({ principal }),
    (error: unknown) => ({ error }),
  )
  if ('principal' in caller) ctx.peer.principal = caller.principal
  const result = 'principal' in caller ? await next({ ctx: caller }) : { ok: false as const, error: caller.error }
  metrics.rpcInFlight.dec()
  const durationMs = Math.round(performance.now() - started)
  const lineOf = (requestId: string) => ({ requestId, procedure: path, type, durationMs })
  if (result.ok) {
    metrics.rpcDuration.observe({ procedure: path, code: 'ok' }, durationMs / 1000)
    if (!FREQUENT.has(path)) log.info(lineOf(ctx.requestId ?? newId()), 'answered')
    return result
  }
  const requestId = ctx.requestId ?? newId()
  const line = lineOf(requestId)
  const error = sondeErrorOf(result.error)
  metrics.rpcDuration.observe({ procedure: path, code: error.code }, durationMs / 1000)
  if (ERRORS[error.code].http >= 500) log.error({ ...line, code: error.code, err: error.cause ?? error }, 'failed')
  else log.warn({ ...line, code: error.code }, 'refused')
  throw toTrpcError(error, requestId)
})

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
