import type { IncomingMessage } from 'node:http'
import { CLIENT_HEADER, SondeError } from '@sonde/contracts'
import { bearerToken } from './authenticate.ts'
import { cookieToken } from './cookie.ts'

/** The token of a request and how it came: a header is sent on purpose, a cookie by any page that makes the browser call. */
export interface Credential {
  token: string | undefined
  isCookie: boolean
}

/** `Authorization` wins; the cookie counts only without it. */
export const credentialOf = (request: IncomingMessage): Credential => {
  const { authorization } = request.headers
  if (authorization !== undefined) return { token: bearerToken(authorization), isCookie: false }
  const token = cookieToken(request)
  return { token, isCookie: token !== undefined }
}

/** Refuses pages of other origins: a browser names its origin, daemons and the CLI send none. */
export const assertSameOrigin = (request: IncomingMessage): void => {
  const { origin, host } = request.headers
  if (origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== host) throw new SondeError('auth.origin_refused')
}

/**
 * For calls by cookie: one that may change something carries the console's header, which only a script of the same origin
 * can set. Throws `auth.origin_refused`.
 */
export const assertOwnPage = (request: IncomingMessage, credential: Credential): void => {
  if (!credential.isCookie || request.method === 'GET' || request.method === 'HEAD') return
  if (request.headers[CLIENT_HEADER] === undefined) {
    throw new SondeError('auth.origin_refused', {
      message: `A call that signs in by cookie needs the header ${CLIENT_HEADER}, which the console sends.`,
    })
  }
}

/** For upgrades by cookie: they carry no header of ours, so the origin must be there, and be this host. */
export const assertOwnSocket = (request: IncomingMessage, credential: Credential): void => {
  if (credential.isCookie && request.headers.origin === undefined) throw new SondeError('auth.origin_refused')
  assertSameOrigin(request)
}
