/**
 * What of an error may go to a log. Not its other fields: a database error carries its connection with the password, and in
 * `detail` the values of the row.
 */
export const describeError = (error: unknown): Record<string, unknown> => {
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
