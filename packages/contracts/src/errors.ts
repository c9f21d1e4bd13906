/**
 * Every error that Sonde can answer: its HTTP status, its tRPC code, whether the same call may succeed later, and a
 * default message. `docs/errors.md` has one entry a code, and a test holds the two together.
 */
export const ERRORS = {
  'auth.token_missing': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'This call needs a bearer token. Send "Authorization: Bearer <token>".',
  },
  'auth.token_invalid': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'The token is not known here, or it was revoked.',
  },
  'auth.token_expired': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'The token has expired. Ask for a new one.',
  },
  'auth.principal_mismatch': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'The participant named in the request is not the holder of the token.',
  },
  'auth.role_required': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'Your role in this session does not allow this.',
  },
  'auth.kind_required': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'This kind of token cannot make this call.',
  },
  'auth.origin_refused': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'The call came from a page of another origin.',
  },
  'auth.code_invalid': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'The sign-in code is not known here, was used before or is older than 10 minutes. Ask for a new one.',
  },
  'auth.token_bound': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'This token belongs to another node. Make one for each node.',
  },
  'auth.proof_invalid': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: "The proof was not signed by the node's key, or it is for another purpose.",
  },
  'auth.proof_stale': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: true,
    message: "The proof of the node's key is too old, of the future, or was used before. Check the clock of the host.",
  },
  'enrollment.invalid': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'The enrollment token is not known here. Make one with `sonde node enroll`.',
  },
  'enrollment.expired': {
    http: 401,
    rpc: 'UNAUTHORIZED',
    retryable: false,
    message: 'The enrollment token is older than 10 minutes. Make a new one with `sonde node enroll`.',
  },
  'enrollment.used': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'Another node has enrolled with this token. Make one for each node with `sonde node enroll`.',
  },
  'enrollment.foreign': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'The enrollment token was made for a node of another name.',
  },
  'enrollment.key_mismatch': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message:
      'This node id is enrolled with another key. Give the daemon a new state directory, so that it is a new node.',
  },
  'request.invalid': {
    http: 400,
    rpc: 'BAD_REQUEST',
    retryable: false,
    message: 'The request is not valid.',
  },
  'request.too_large': {
    http: 413,
    rpc: 'PAYLOAD_TOO_LARGE',
    retryable: false,
    message: 'The request body is larger than this endpoint takes.',
  },
  'request.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such procedure or route. A newer client may be talking to an older server.',
  },
  'request.method_not_allowed': {
    http: 405,
    rpc: 'METHOD_NOT_SUPPORTED',
    retryable: false,
    message: 'This route does not take that method.',
  },
  'internal.unexpected': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'Something went wrong on the server. Its log has the cause under this request id.',
  },
  'server.draining': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message: 'This server is shutting down. Try again in a moment.',
  },
  'database.unavailable': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message: 'The database cannot be reached at the moment.',
  },
  'database.disk_full': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message: 'The database has no disk space left. Nothing of this request was stored. Free space, then try again.',
  },
  'session.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such session, or you are not a member of it.',
  },
  'session.not_active': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The session no longer takes work.',
  },
  'session.floor_not_raised': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: "A session's version floor can only be raised.",
  },
  'session.member_not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'That participant is not a member of this session.',
  },
  'session.last_owner': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'A session keeps at least one owner. Make another member an owner first.',
  },
  'participant.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such participant.',
  },
  'token.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such token in this session.',
  },
  'runtimenode.attach_conflict': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: true,
    message: 'The node is active elsewhere. Detach it there first.',
  },
  'runtimenode.attach_revoked': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The node was revoked in this session for good. A new node id is the way back.',
  },
  'runtimenode.capabilityupdate_conflict': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The capability update does not fit what was declared.',
  },
  'runtimenode.fenced': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'A newer incarnation of this node has taken over.',
  },
  'runtimenode.permission_denied': {
    http: 403,
    rpc: 'FORBIDDEN',
    retryable: false,
    message: 'Not permitted for this node or session.',
  },
  'node.not_drained': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: true,
    message:
      'A capture runs on the node, or what it captured is not all stored. Drain it first, or remove it by force.',
  },
  'node.last_of_primary': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: true,
    message: 'No other node that takes work reaches some primary that this node reaches. Add one, or drain by force.',
  },
  'version.floor_exceeded': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The node is below the version floor of its session and is read-only. Upgrade it to write.',
  },
  'version.floor_invalid': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'The stored version floor of the session is malformed. Its owner must repair it.',
  },
  'target.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such target in this session. `sonde capture targets` lists them.',
  },
  'capture.not_found': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'There is no such capture, or you are not a member of its session.',
  },
  'capture.gone': {
    http: 404,
    rpc: 'NOT_FOUND',
    retryable: false,
    message: 'The capture was deleted, and takes nothing more.',
  },
  'capture.still_running': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: true,
    message: 'The capture is still running. Stop it first, then delete it.',
  },
  'capture.pinned': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The capture is pinned, so that it is not deleted. Unpin it first.',
  },
  'export.changed': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'What is stored no longer begins as what you have. Export again from the beginning.',
  },
  'search.too_many': {
    http: 429,
    rpc: 'TOO_MANY_REQUESTS',
    retryable: true,
    message: 'Two of your searches are running already. Wait for one of them, then try again.',
  },
  'analysis.profile_malformed': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'A profile of the capture cannot be read.',
  },
  'capture.target_busy': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: true,
    message: 'Another capture holds this target. Stop it, or wait for its end.',
  },
  'idempotency.key_reused': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'This idempotency key was used for another request. Take a new key for a new request.',
  },
  'idempotency.too_many_keys': {
    http: 429,
    rpc: 'TOO_MANY_REQUESTS',
    retryable: true,
    message: 'You have used 10,000 idempotency keys within 24 h. Start without a key, or wait until the oldest expire.',
  },
  'capture.plan_empty': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The scope names no target, so there is nothing to capture.',
  },
  'capture.discovery_failed': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message:
      'The topology of the cluster is not known at the moment, so the capture was not started smaller than asked.',
  },
  'capture.monitor_open_failed': {
    http: 502,
    rpc: 'BAD_GATEWAY',
    retryable: false,
    message: 'No target could be opened for capture.',
  },
  'fanout.quorum_not_met': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message: 'Fewer targets could be captured than the start required. Nothing was kept.',
  },
  'chunk.malformed': {
    http: 400,
    rpc: 'BAD_REQUEST',
    retryable: false,
    message: 'The upload is not a sequence of whole chunks.',
  },
  'chunk.too_large': {
    http: 413,
    rpc: 'PAYLOAD_TOO_LARGE',
    retryable: false,
    message: 'The chunk or the upload is larger than allowed.',
  },
  'chunk.checksum_mismatch': {
    http: 422,
    rpc: 'UNPROCESSABLE_CONTENT',
    retryable: true,
    message: 'The chunk was damaged on its way. Send it again.',
  },
  'chunk.content_mismatch': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'Another content is already stored under this chunk number.',
  },
  'chunk.not_accepted': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The chunk belongs to no segment of this node.',
  },
  'policy.stale': {
    http: 409,
    rpc: 'CONFLICT',
    retryable: false,
    message: 'The chunk was cut under an older redaction policy than the session takes.',
  },
  'migration.edited': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'A migration file was changed after it had been applied. Restore the file.',
  },
  'migration.newer_schema': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'The database was migrated by a newer version that this one cannot work with. Upgrade this binary.',
  },
  'migration.failed': {
    http: 500,
    rpc: 'INTERNAL_SERVER_ERROR',
    retryable: false,
    message: 'A migration failed and was rolled back.',
  },
  'control_plane.unreachable': {
    http: 503,
    rpc: 'SERVICE_UNAVAILABLE',
    retryable: true,
    message: 'The control plane cannot be reached.',
  },
  'control_plane.error': {
    http: 502,
    rpc: 'BAD_GATEWAY',
    retryable: false,
    message: 'The server answered with an error that is not in the form of Sonde. Is this URL a Sonde control plane?',
  },
} as const satisfies Record<string, { http: number; rpc: string; retryable: boolean; message: string }>

/** A stable, documented error code. */
export type ErrorCode = keyof typeof ERRORS

/** The five fields that every error on the wire has. `details` is absent when there are none. */
export interface WireError {
  code: ErrorCode
  message: string
  retryable: boolean
  requestId: string
  details?: Record<string, unknown>
}

/** What may be said about an error besides its code. */
export interface SondeErrorOptions {
  /** Replaces the table's message. Names only what the caller may know. */
  message?: string
  /** Facts that a program can act on; never another session's ids, never captured values. */
  details?: Record<string, unknown>
  /** The original error; it goes to the log only. */
  cause?: unknown
}

/**
 * The one error class of Sonde: a stable code, a message that says what to do, details for programs.
 *
 * @example
 * throw new SondeError('session.not_active', { details: { sessionId } })
 */
export class SondeError extends Error {
  override readonly name = 'SondeError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined

  constructor(code: ErrorCode, options: SondeErrorOptions = {}) {
    super(options.message ?? ERRORS[code].message, { cause: options.cause })
    this.code = code
    this.details = options.details
  }

  /** Whether the same call may succeed later without being changed. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  /** The error as it goes over the wire. */
  toWire(requestId: string): WireError {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      requestId,
      ...(this.details === undefined ? {} : { details: this.details }),
    }
  }
}

/** Whether a text is a code of the table. */
export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code)

/** SQLSTATE, or Node's error code, of database failures that are not the caller's fault -> what to answer. */
const INFRASTRUCTURE_CODES: Record<string, ErrorCode> = {
  '53100': 'database.disk_full',
  '53300': 'database.unavailable',
  '57P01': 'database.unavailable',
  '57P02': 'database.unavailable',
  '57P03': 'database.unavailable',
  '08000': 'database.unavailable',
  '08003': 'database.unavailable',
  '08006': 'database.unavailable',
  ECONNREFUSED: 'database.unavailable',
  ECONNRESET: 'database.unavailable',
}

/**
 * Turns anything thrown into a {@link SondeError}, at the boundary. What is not one of ours and no known failure of the
 * database becomes `internal.unexpected`, with the original as `cause` and nothing of it in the message.
 */
export const toSondeError = (thrown: unknown): SondeError => {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth += 1) {
    if (error instanceof SondeError) return error
  }
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  return new SondeError(INFRASTRUCTURE_CODES[code] ?? 'internal.unexpected', { cause: thrown })
}
