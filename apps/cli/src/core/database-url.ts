import { UsageError } from './failure.ts'

/** A PostgreSQL URL, as it was given under `origin`. Throws a UsageError that does not repeat it: it may hold a password. */
export const checkDatabaseUrl = (text: string, origin: string): string => {
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text
  throw new UsageError(`${origin} must be a PostgreSQL URL, for example postgres://user:password@127.0.0.1:5432/sonde`)
}
