const KEY = 'sonde.session'

/** The session that this browser showed last; a convenience, so storage that is shut off is no error. */
export const lastSession = (): string | null => {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

export const rememberSession = (sessionId: string): void => {
  try {
    localStorage.setItem(KEY, sessionId)
  } catch {
    // Nothing depends on it.
  }
}
