import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ERRORS, SondeError } from '@sonde/contracts'
import { nodeHTTPRequestHandler } from '@trpc/server/adapters/node-http'
import type { Authenticate, Principal } from './authenticate.ts'
import type { ConsoleFiles } from './console-files.ts'
import { assertOwnPage, assertSameOrigin, credentialOf } from './credential.ts'
import { sondeErrorOf } from './error-formatter.ts'
import { requestIdOf } from './request-id.ts'
import type { Resources } from './resources.ts'
import type { CallContext } from './trpc.ts'
import type { AppRouter } from '../router.ts'

/** A route beside tRPC: streams and binary bodies. */
export interface Route {
  /** A GET route takes HEAD too: Node's server leaves the body out. */
  method: 'GET' | 'POST'
  /** Matches the whole path; its named groups are `params`. */
  path: RegExp
  /** The path as logs and metrics name it. */
  template: string
  /** `public` routes say nothing that a stranger may not know. */
  access: 'public' | 'any' | 'person' | 'node'
  handle(call: RouteCall): Promise<void>
}

export interface RouteCall {
  request: IncomingMessage
  response: ServerResponse
  requestId: string
  params: Record<string, string>
  query: URLSearchParams
  /** Absent on public routes only. */
  principal: Principal | undefined
  /** Verifies the caller's token again, for answers that take long. Throws `auth.*`. */
  reauthenticate: () => Promise<Principal>
  /** Aborts when the caller goes away. */
  gone: AbortSignal
}

/** The longest body of a procedure call, in bytes. */
const RPC_BODY_BYTES = 2 * 2 ** 20

export interface HttpOptions {
  resources: Resources
  authenticate: Authenticate
  appRouter: AppRouter
  routes: Route[]
  /** Takes the GETs that no route takes. @default none, so that they are not found */
  consoleFiles?: ConsoleFiles
}

/** One port for everything: `/trpc`, the features' routes, health, the console. */
export const createHttpServer = (options: HttpOptions): Server => {
  const server = createServer((request, response) => void answer(options, request, response))
  // A daemon's upload connection stays open between chunks; balancers close idle ones after 60 s at the earliest.
  server.keepAliveTimeout = 65_000
  return server
}

/** Starts to listen; the promise rejects with a message that names the port and the setting. */
export const listenOn = (server: Server, host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? `Port ${port} on ${host} is in use. Stop what uses it, or set SONDE_PORT to another port.`
          : error.code === 'EACCES'
            ? `Port ${port} on ${host} may not be opened by this user. Set SONDE_PORT to a port above 1023.`
            : `Cannot listen on ${host}:${port}: ${error.message}. Check SONDE_HOST and SONDE_PORT.`
      reject(new SondeError('request.invalid', { message: why, cause: error }))
    }
    server.once('error', refused)
    server.listen(port, host, () => {
      server.off('error', refused)
      const bound = server.address() as AddressInfo
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`)
    })
  })

const answer = async (options: HttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { resources, authenticate, appRouter, routes } = options
  const requestId = requestIdOf(request)
  const started = performance.now()
  response.setHeader('x-request-id', requestId)
  response.setHeader('x-content-type-options', 'nosniff')
  try {
    const url = parseTarget(request.url)
    assertSameOrigin(request)
    const credential = credentialOf(request)
    assertOwnPage(request, credential)
    const isRpc = /^\/trpc(\/|$)/.test(url.pathname)
    if (isRpc && request.method !== 'GET' && request.method !== 'POST') {
      throw methodNotAllowed(response, ['GET', 'POST'])
    }
    if (url.pathname.startsWith('/trpc/')) {
      const context: CallContext = {
        resources,
        authenticate,
        peer: { token: credential.token, principal: undefined },
        requestId,
        unsentBytes: () => 0,
      }
      await nodeHTTPRequestHandler({
        req: request,
        res: response,
        path: url.pathname.slice('/trpc/'.length),
        router: appRouter,
        createContext: () => context,
        maxBodySize: RPC_BODY_BYTES,
        allowBatching: true,
      })
      return
    }
    const onPath = routes.filter((route) => route.path.test(url.pathname))
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = onPath.find((each) => each.method === method)
    if (!route) {
      const allowed = onPath.flatMap((each) => (each.method === 'GET' ? ['GET', 'HEAD'] : [each.method]))
      if (allowed.length > 0) throw methodNotAllowed(response, allowed)
      if (await options.consoleFiles?.serve(request, response)) return
      throw new SondeError('request.not_found')
    }
    const principal = route.access === 'public' ? undefined : await authenticate(credential.token)
    if (principal && route.access !== 'any' && principal.kind !== route.access) {
      throw new SondeError('auth.kind_required', { message: `This call needs the token of a ${route.access}.` })
    }
    const params = { ...route.path.exec(url.pathname)?.groups }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const reauthenticate = () => authenticate(credential.token)
    const query = url.searchParams
    await route.handle({ request, response, requestId, params, query, principal, reauthenticate, gone: gone.signal })
    const line = { requestId, route: `${route.method} ${route.template}`, status: response.statusCode }
    resources.log.debug({ ...line, durationMs: Math.round(performance.now() - started) }, 'answered')
  } catch (thrown) {
    sendError(options, { request, response, requestId }, thrown)
  }
}

/** A refusal that says what is taken, as RFC 9110 asks: in its message and in the `Allow` header. */
const methodNotAllowed = (response: ServerResponse, allowed: string[]): SondeError => {
  response.setHeader('allow', allowed.join(', '))
  return new SondeError('request.method_not_allowed', {
    message: `This route takes ${allowed.join(' and ')} only.`,
    details: { allowed },
  })
}

/** The path and query of a request line, which is whatever a stranger typed. */
const parseTarget = (target: string | undefined): URL => {
  const text = target?.startsWith('/') ? `http://host${target.replace(/^\/+/, '/')}` : ''
  if (!URL.canParse(text)) throw new SondeError('request.invalid', { message: 'The request path is not valid.' })
  return new URL(text)
}

const sendError = (
  { resources }: HttpOptions,
  { request, response, requestId }: { request: IncomingMessage; response: ServerResponse; requestId: string },
  thrown: unknown,
): void => {
  const error = sondeErrorOf(thrown)
  const { http } = ERRORS[error.code]
  const line = { requestId, method: request.method, code: error.code, status: http }
  if (http >= 500) resources.log.error({ ...line, err: error.cause ?? error }, 'failed')
  else resources.log.warn(line, 'refused')
  if (response.headersSent) {
    // A stream that has begun can only be cut: the caller sees a transfer that did not end.
    response.destroy()
    return
  }
  response.writeHead(http, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: error.toWire(requestId) }))
  // What was not read of a refused body must not be taken for the next request.
  if (!request.complete) response.once('finish', () => request.destroy())
}
