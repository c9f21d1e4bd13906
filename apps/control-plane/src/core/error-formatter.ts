import { ERRORS, issueWords, newId, SondeError, toSondeError, type ErrorCode, type WireError } from '@sonde/contracts'
import { TRPCError } from '@trpc/server'
import { ZodError } from 'zod'

/** tRPC's own refusals, made before a procedure runs. */
const FROM_TRPC: Partial<Record<TRPCError['code'], ErrorCode>> = {
  PARSE_ERROR: 'request.invalid',
  BAD_REQUEST: 'request.invalid',
  UNSUPPORTED_MEDIA_TYPE: 'request.invalid',
  NOT_FOUND: 'request.not_found',
  METHOD_NOT_SUPPORTED: 'request.method_not_allowed',
  PAYLOAD_TOO_LARGE: 'request.too_large',
}
const MOST_ISSUES = 20

/** What a failed validation says: where and why, never the value. */
const invalidRequest = (error: ZodError): SondeError => {
  const issues = error.issues.slice(0, MOST_ISSUES).map((issue) => ({
    path: issue.path.map((part) => String(part).slice(0, 64)).join('.'),
    message: issueWords(issue).slice(0, 300),
  }))
  const [first] = issues
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : ''
  return new SondeError('request.invalid', {
    message: `The request is not valid: ${first?.path || 'the input'} ${first?.message ?? 'is wrong'}${more}.`,
    details: { issues },
    cause: error,
  })
}

/** Why tRPC refused a call, where that can be told. A parser's own words may quote the input, which may hold a secret. */
const reasonOf = (error: TRPCError): { message?: string } => {
  if (error.code === 'UNSUPPORTED_MEDIA_TYPE') {
    return { message: 'The body of a call is sent with the content type application/json.' }
  }
  return error.cause instanceof SyntaxError ? { message: 'The input of the call is not JSON.' } : {}
}

/** Any error, thrown by us or by tRPC, as one of ours. */
export const sondeErrorOf = (error: unknown): SondeError => {
  const cause = error instanceof TRPCError ? error.cause : error
  if (cause instanceof ZodError) return invalidRequest(cause)
  const ours = toSondeError(cause)
  if (!(error instanceof TRPCError) || cause instanceof SondeError || ours.code !== 'internal.unexpected') return ours
  const code = FROM_TRPC[error.code]
  return code ? new SondeError(code, { ...reasonOf(error), cause: error }) : ours
}

/** Request id of an error that was already answered for; on a WebSocket the context lives longer than one request. */
const requestIds = new WeakMap<SondeError, string>()

/** The error as tRPC wants it, so that the HTTP status and the RPC code follow the table. */
export const toTrpcError = (error: unknown, requestId: string): TRPCError => {
  const ours = sondeErrorOf(error)
  requestIds.set(ours, requestId)
  return new TRPCError({ code: ERRORS[ours.code].rpc, message: ours.message, cause: ours })
}

/** The five fields, for an error that tRPC is about to send. */
export const wireErrorOf = (error: TRPCError, fallbackRequestId: string | undefined): WireError => {
  const ours = sondeErrorOf(error)
  return ours.toWire(requestIds.get(ours) ?? fallbackRequestId ?? newId())
}
