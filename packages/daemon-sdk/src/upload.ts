import { wireErrorToSondeError } from '@sonde/client'
import { ERRORS, isErrorCode, SondeError, uploadResultSchema, type Clock, type UploadResult } from '@sonde/contracts'
import { callWithin } from './call.ts'

export interface UploadOptions {
  url: string
  token: string
  clock: Clock
  fetch: typeof globalThis.fetch
}

/** One upload may take this long: 16 MiB over 2 Mbit/s, in milliseconds. */
const UPLOAD_TIMEOUT_MS = 70_000

/** Sends one body of whole chunks and returns the answer, which comes after the commit. Throws `SondeError`. */
export const upload = (
  options: UploadOptions,
  body: Buffer<ArrayBuffer>,
  signal: AbortSignal,
): Promise<UploadResult> => {
  const { url, token, clock, fetch } = options
  return callWithin(clock, UPLOAD_TIMEOUT_MS, async (over) => {
    const response = await fetch(`${url.replace(/\/$/, '')}/data/chunks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body,
      signal: AbortSignal.any([over, signal]),
      redirect: 'error',
    })
    // Read to the end in any case: only then is the connection used again.
    const text = await response.text()
    if (response.ok) return uploadResultSchema.parse(JSON.parse(text))
    throw wireErrorOf(response.status, text)
  })
}

/** The error in an answer of a route beside the procedures. */
export const wireErrorOf = (status: number, text: string): SondeError => {
  let wire: unknown
  try {
    const answer: unknown = JSON.parse(text)
    wire = answer !== null && typeof answer === 'object' && 'error' in answer ? answer.error : undefined
  } catch {
    wire = undefined
  }
  if (wire !== undefined) return wireErrorToSondeError(wire)
  return new SondeError('control_plane.error', { message: `The call was answered with status ${status}.` })
}

/**
 * What a refusal of a whole upload says about its chunks. `chunk`: one of them is at fault; `later`: none is, try again, also
 * where the token is refused, because a chunk given up is a line lost.
 */
export const blameOf = ({ code }: SondeError): 'chunk' | 'later' => {
  if (ERRORS[code].retryable || ERRORS[code].http >= 500) return 'later'
  return code.startsWith('chunk.') || code === 'request.too_large' || code === 'request.invalid' ? 'chunk' : 'later'
}

/** Whether a chunk with this outcome must be sent again. An unknown code of a newer control plane is taken as final. */
export const isWorthRetry = (outcome: string): boolean =>
  isErrorCode(outcome) && (ERRORS[outcome].retryable || ERRORS[outcome].http >= 500)
