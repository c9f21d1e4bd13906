import type { WireError } from '@sonde/contracts'

/** What a page can tell of a failed call. */
export interface CallError {
  /** Of the error table; `control_plane.unreachable` when there was no answer, `control_plane.error` for a foreign one. */
  code: string
  message: string
  requestId: string | undefined
  details: Record<string, unknown>
}

const isRecord = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object'

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** A wire error body as a page tells it; a foreign one as `control_plane.error`. */
export const wireErrorOf = (wire: Partial<WireError> | undefined): CallError => ({
  code: textOf(wire?.code) ?? 'control_plane.error',
  message: textOf(wire?.message) ?? 'The server answered in a form that this page does not know.',
  requestId: textOf(wire?.requestId),
  details: isRecord(wire?.details) ? wire.details : {},
})

/** Thrown by calls beside tRPC. */
export class HttpCallError extends Error {
  override readonly name = 'HttpCallError'
  readonly call: CallError

  constructor(call: CallError) {
    super(call.message)
    this.call = call
  }
}

/** What a thrown error means. */
export const callErrorOf = (error: unknown): CallError => {
  if (error instanceof HttpCallError) return error.call
  const data = isRecord(error) ? error['data'] : undefined
  if (isRecord(data)) return wireErrorOf(isRecord(data['sondeError']) ? data['sondeError'] : undefined)
  return {
    code: 'control_plane.unreachable',
    message: 'The control plane did not answer.',
    requestId: undefined,
    details: {},
  }
}

/** Whether the browser is not, or no longer, signed in. */
export const isSignedOut = (error: unknown): boolean => callErrorOf(error).code.startsWith('auth.token_')
