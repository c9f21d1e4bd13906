import { SondeError } from '@sonde/contracts'
import { Client } from 'pg'

/** One connection outside of the pool. */
export interface Connection extends AsyncDisposable {
  readonly client: Client
}

/** Where a URL points, without its credentials. */
const placeOf = (url: string): string => {
  try {
    const { hostname, port, pathname } = new URL(url)
    return `${hostname}:${port || 5432}${pathname}`
  } catch {
    return 'the URL given (it is not a valid URL)'
  }
}

/** Node joins the failures of all addresses of a name into one error without a message. */
const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

/**
 * Opens one connection; it may run statements of any length. Throws `database.unavailable` with the place, never the
 * password, and the reason.
 */
export const connectOnce = async (url: string): Promise<Connection> => {
  try {
    const client = new Client({
      connectionString: url,
      application_name: 'sonde',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    })
    client.on('error', () => {})
    await client.connect()
    return { client, [Symbol.asyncDispose]: () => client.end() }
  } catch (cause) {
    throw new SondeError('database.unavailable', {
      message: `The database at ${placeOf(url)} cannot be used: ${reasonOf(cause)}. Check DATABASE_URL and the server.`,
      cause,
    })
  }
}
