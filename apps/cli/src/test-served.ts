import { createOwnerToken, type Database } from '@sonde/database'
import { startControlPlane, type ControlPlaneProcess } from '@sonde/testing'

/** A control plane, and the environment with which its owner calls it. */
export interface Served {
  server: ControlPlaneProcess
  env: { SONDE_URL: string; SONDE_TOKEN: string }
}

/** A fixture for `dbTest.extend('served', { scope: 'file' }, serve)`: a real control plane on the database of the file. */
export const serve = async (
  { database, databaseUrl }: { database: Database; databaseUrl: string },
  { onCleanup }: { onCleanup: (end: () => PromiseLike<void>) => void },
): Promise<Served> => {
  const owner = await createOwnerToken(database.db, { name: 'Ada' })
  const server = await startControlPlane({ databaseUrl })
  onCleanup(() => server[Symbol.asyncDispose]())
  return { server, env: { SONDE_URL: server.url, SONDE_TOKEN: owner.token } }
}
