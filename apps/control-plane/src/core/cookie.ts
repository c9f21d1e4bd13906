import type { IncomingMessage } from 'node:http'

const NAME = 'sonde'

/** The token in the console's cookie; undefined without one. */
export const cookieToken = (request: IncomingMessage): string | undefined => {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = pair.split('=', 2)
    if (name?.trim() === NAME && value) return value.trim()
  }
  return undefined
}

/** A `Set-Cookie` that no script can read and that no other site's request carries; over TLS it stays there. */
export const tokenCookie = (request: IncomingMessage, token: string, ttlMs: number): string =>
  `${NAME}=${token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${Math.floor(ttlMs / 1000)}${secure(request)}`

/** A `Set-Cookie` that removes it. */
export const clearedCookie = (request: IncomingMessage): string =>
  `${NAME}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0${secure(request)}`

const secure = (request: IncomingMessage): string => {
  const forwarded = request.headers['x-forwarded-proto']
  const protocol = typeof forwarded === 'string' ? forwarded.split(',')[0]?.trim().toLowerCase() : undefined
  return protocol === 'https' ? '; Secure' : ''
}
