import { pino, type Logger } from 'pino'

/**
 * What of an error goes to the log. Not its other fields: a database error carries its connection with the password, and
 * in `detail` the values of the row.
 */
const describeError = (error: unknown): Record<string, unknown> => {
  if (!(error instanceof Error)) return { type: typeof error }
  const { name, message, stack, cause } = error
  return {
    type: name,
    message,
    ...('code' in error && { code: error.code }),
    ...('constraint' in error && { constraint: error.constraint }),
    stack,
    ...(cause instanceof Error && { cause: describeError(cause) }),
  }
}

/** JSON lines on stdout. */
export const createLog = (level: string): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describeError } })
