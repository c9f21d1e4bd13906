import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guardProcess } from './guard.ts'
import { startPostgres, type EmbeddedPostgres } from './postgres.ts'

/**
 * Starts PostgreSQL in a temporary folder. It ends with this process in whatever way that ends, and its folder goes with it.
 *
 * @param options.durable True for settings of production, which benchmarks need; false is about twice as fast.
 */
export const startTemporaryPostgres = async (options: {
  durable: boolean
  log?: (line: string) => void
}): Promise<EmbeddedPostgres> => {
  const home = mkdtempSync(join(tmpdir(), 'sonde-test-'))
  // The server's unprivileged user must get through; the data directory in it is private.
  chmodSync(home, 0o755)
  const server = await startPostgres({ dataDir: join(home, `postgres-${randomBytes(4).toString('hex')}`), ...options })
  const remove = [server.dataDir, `${server.dataDir}.log`, home]
  const forget = guardProcess(server.pid, { signal: 'SIGQUIT', remove })
  return {
    ...server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      for (const path of remove) rmSync(path, { recursive: true, force: true })
      forget()
    },
  }
}
