import {
  newId,
  SIGN_IN_BODY_BYTES,
  SIGN_IN_CODE_PATTERN,
  SIGN_IN_TOKEN_TTL_MS,
  signInInput,
  SondeError,
  type SignedIn,
} from '@sonde/contracts'
import { hashToken, inTransaction, mintToken, type Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import { clearedCookie, cookieToken, tokenCookie } from '../core/cookie.ts'
import type { Route } from '../core/http.ts'
import { readJson } from '../core/read-json.ts'
import type { Resources } from '../core/resources.ts'
import { insertToken, revokeTokenByHash } from '../tokens/index.ts'
import { takeCode } from './store.ts'

/** `POST /sign-in` gives a browser a token of its own for a one-time code; `POST /sign-out` ends that token. */
export const signInRoutes = ({ db }: Resources): Route[] => [
  {
    method: 'POST',
    path: /^\/sign-in$/,
    template: '/sign-in',
    access: 'public',
    async handle({ request, response }) {
      const { code } = signInInput.parse(await readJson(request, SIGN_IN_BODY_BYTES))
      const { token, expiresAt } = await exchange(db, code)
      const answer: SignedIn = { expiresAt: expiresAt.toISOString() }
      response.writeHead(200, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'set-cookie': tokenCookie(request, token, SIGN_IN_TOKEN_TTL_MS),
      })
      response.end(JSON.stringify(answer))
    },
  },
  {
    method: 'POST',
    path: /^\/sign-out$/,
    template: '/sign-out',
    // Public, so that a browser whose token has ended already gets rid of its cookie too.
    access: 'public',
    async handle({ request, response }) {
      const token = cookieToken(request)
      if (token !== undefined) await revokeTokenByHash(db, hashToken(token))
      response.writeHead(204, { 'cache-control': 'no-store', 'set-cookie': clearedCookie(request) })
      response.end()
    },
  },
]

const exchange = (db: Kysely<Schema>, code: string): Promise<{ token: string; expiresAt: Date }> =>
  inTransaction(db, async (trx) => {
    const participantId = SIGN_IN_CODE_PATTERN.test(code) ? await takeCode(trx, code) : undefined
    if (participantId === undefined) throw new SondeError('auth.code_invalid')
    const token = mintToken('person')
    const expiresAt = await insertToken(trx, {
      id: newId(),
      kind: 'person',
      sha256: hashToken(token),
      name: 'console',
      participantId,
      sessionId: null,
      ttlMs: SIGN_IN_TOKEN_TTL_MS,
    })
    return { token, expiresAt }
  })
