import type { Schema } from './schema.ts'
import { SondeError } from '@sonde/contracts'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool, types } from 'pg'
import { keepPlans } from './prepared.ts'

/** int8 as Number: ids are UUIDs, and the largest counters, microseconds since 1970, stay below 2^53 until the year 2255. */
types.setTypeParser(types.builtins.INT8, Number)
/** date as its text: a day has no zone. */
types.setTypeParser(types.builtins.DATE, (text) => text)

export interface OpenDatabaseOptions {
  url: string
  /** @default 10 */
  maxConnections?: number
  /** Server-side bound of one statement, in milliseconds. @default 30_000 */
  statementTimeoutMs?: number
  /** Refuses every write. @default false */
  readOnly?: boolean
  /** Bound of a wait for a lock, in milliseconds. @default 10_000 */
  lockTimeoutMs?: number
  /** Called for an error on an idle connection; the pool replaces the connection by itself. */
  onIdleError?: (error: Error) => void
}

/** An open pool with typed queries. Dispose to close it. */
export interface Database extends AsyncDisposable {
  readonly db: Kysely<Schema>
  readonly url: string
}

/**
 * Opens a pool; connects lazily. The listener on `error` is not optional: without one, a server that goes away between
 * two queries, or a socket that closes after `end()` has resolved, is an uncaught exception.
 */
export const openDatabase = (options: OpenDatabaseOptions): Database => {
  const pool = new Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 10,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    lock_timeout: options.lockTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: 30_000,
    connectionTimeoutMillis: 5_000,
    application_name: 'sonde',
    ...(options.readOnly === true && { options: '-c default_transaction_read_only=on' }),
  })
  pool.on('error', (error) => options.onIdleError?.(error))
  // The pool listens on idle connections only: one that is lost between two statements of a transaction has no listener.
  pool.on('connect', (client) => {
    client.on('error', () => undefined)
    keepPlans(client)
  })
  const connect = () => pool.connect().catch((error: unknown) => Promise.reject(unavailable(error)))
  const db = new Kysely<Schema>({
    dialect: new PostgresDialect({ pool: { connect, end: () => pool.end(), options: pool.options } }),
  })
  return { db, url: options.url, [Symbol.asyncDispose]: () => db.destroy() }
}

/** The pool's own words for "none was free in time" have no code by which they could be known later. */
const unavailable = (error: unknown): unknown =>
  error instanceof Error && !('code' in error) ? new SondeError('database.unavailable', { cause: error }) : error
