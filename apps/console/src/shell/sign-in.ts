import { CLIENT_HEADER, SIGN_IN_CODE_PATTERN } from '@sonde/contracts'
import { HttpCallError, wireErrorOf } from '../call-error.ts'

const post = async (path: string, body?: object): Promise<void> => {
  const response = await fetch(path, {
    method: 'POST',
    headers: { [CLIENT_HEADER]: 'console', ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (response.ok) return
  const answer: unknown = await response.json().catch(() => undefined)
  throw new HttpCallError(wireErrorOf((answer as { error?: object } | undefined)?.error))
}

/** Exchanges a one-time code for this browser's own cookie. */
export const signIn = (code: string): Promise<void> => post('/sign-in', { code })

/** Ends this browser's token and takes the cookie back. */
export const signOut = (): Promise<void> => post('/sign-out')

/** The code in what somebody pasted: a whole link, or the code alone; undefined when there is none. */
export const codeIn = (text: string): string | undefined => {
  const trimmed = text.trim()
  const code = /#code=([^&\s]+)$/.exec(trimmed)?.[1] ?? trimmed
  return SIGN_IN_CODE_PATTERN.test(code) ? code : undefined
}

/** Takes the code out of the page's address, so that neither history nor a copied address has it. */
export const takeCodeFromAddress = (): string | undefined => {
  const { hash, pathname, search } = location
  if (!hash.startsWith('#code=')) return undefined
  history.replaceState(null, '', pathname + search)
  return codeIn(hash)
}
