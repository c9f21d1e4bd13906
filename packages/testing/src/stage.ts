import { createOwnerToken, migrate, openDatabase, type Database, type OwnerToken } from '@sonde/database'
import { lastingPort } from './free-port.ts'
import type { EmbeddedPostgres } from './postgres.ts'
import { startControlPlane, type ControlPlaneProcess } from './server.ts'
import { startTemporaryPostgres } from './temporary-postgres.ts'

/** A control plane of this process's own with its database and an owner. Dispose to stop and delete all of it. */
export interface Stage extends AsyncDisposable {
  readonly postgres: EmbeddedPostgres
  readonly database: Database
  readonly server: ControlPlaneProcess
  readonly owner: OwnerToken
}

/** Starts PostgreSQL with settings of production in a temporary folder, migrates it, and starts a control plane on it. */
export const openStage = async (options: { env?: Record<string, string> | undefined } = {}): Promise<Stage> => {
  await using starting = new AsyncDisposableStack()
  const postgres = starting.use(await startTemporaryPostgres({ durable: true }))
  await migrate(postgres.url)
  const database = starting.use(openDatabase({ url: postgres.url, maxConnections: 4, statementTimeoutMs: 300_000 }))
  const owner = await createOwnerToken(database.db, { name: 'stage' })
  // A line for each attach of a large fleet would be a load of its own.
  const env = { SONDE_LOG_LEVEL: 'warn', ...options.env }
  const port = await lastingPort()
  const server = starting.use(await startControlPlane({ databaseUrl: postgres.url, env, port }))
  const opened = starting.move()
  return { postgres, database, server, owner, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
