import { CLIENT_HEADER, type SignInCode } from '@sonde/contracts'
import { call, type Person } from './support.ts'

/** A fresh code for somebody. */
export const makeCode = async (url: string, person: Person): Promise<string> => {
  const answer = await call(url, person.token, 'signIn.createCode', undefined)
  if (answer.status !== 200) throw new Error(answer.text)
  return (answer.data as SignInCode).code
}

/** The exchange as the console's page makes it; `init` replaces parts of it. */
export const exchange = (url: string, code: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ code }),
    ...init,
  })

/** The code of a refusal, of a procedure or of another route. */
export const refusalOf = async (response: Response): Promise<string | undefined> => {
  const { error } = (await response.json()) as { error?: { code?: string; data?: { sondeError: { code: string } } } }
  return error?.data?.sondeError.code ?? error?.code
}

/** What a signed-in browser sends: its cookie, its page's origin, and the header that only a page of ours can set. */
export interface Browser {
  cookie: string
  headers: Record<string, string>
}

/** Signs a browser in. */
export const signIn = async (url: string, person: Person): Promise<Browser> => {
  const response = await exchange(url, await makeCode(url, person))
  const cookie = response.headers.getSetCookie()[0]?.split(';')[0]
  if (response.status !== 200 || cookie === undefined) throw new Error(await response.text())
  return { cookie, headers: { cookie, origin: url, [CLIENT_HEADER]: 'console' } }
}
