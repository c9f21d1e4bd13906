import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '@sonde/database'
import { LocalFailure } from '../core/failure.ts'
import { failureWithLog } from './log-file.ts'
import { wordsForEnd } from './process-end.ts'
import type { Processes } from './processes.ts'
import type { Watch } from './watch.ts'

/** The database of this run. */
export interface Store {
  url: string
  /** Where it is, for people. */
  description: string
}

interface StoreOptions {
  dataDir: string
  env: NodeJS.ProcessEnv
  processes: Processes
  watch: Watch
  /** Stops what is started here, in the end. */
  stack: AsyncDisposableStack
  say: (line: string) => void
}

const RECOVERY = 'Start again: it recovers by itself, and nothing that was acknowledged is lost.'

/** The PostgreSQL of DATABASE_URL, or one that is started in the data directory. Throws with its last words when it does not come up. */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  const named = options.env['DATABASE_URL']
  if (named !== undefined && named !== '') return { url: named, description: `your own, ${placeOf(named)}` }
  const dataDir = join(options.dataDir, 'postgres')
  const isNew = !existsSync(join(dataDir, 'PG_VERSION'))
  const { startPostgres, guardProcess } = await import('@sonde/testing')
  let server
  try {
    server = await startPostgres({ dataDir, durable: true, log: options.say })
  } catch (error) {
    const [message = '', ...lines] = (error instanceof Error ? error.message : String(error)).split('\n')
    const isFull = lines.some((line) => line.includes('No space left on device'))
    const advice = `There is no space left for PostgreSQL in ${dataDir}. Free some, then try again. It said:`
    throw new LocalFailure(isFull ? advice : message, { lines: tellingLines(lines), cause: error })
  }
  const { logPath } = server
  options.processes.add('PostgreSQL', server.pid, 'SIGINT')
  options.watch.needed(server.exited.then(wordsForEnd), (how) =>
    failureWithLog(`PostgreSQL ended (${how}), so everything was stopped. ${RECOVERY}`, { path: logPath, startsAt: 0 }),
  )
  const forget = guardProcess(server.pid, { signal: 'SIGINT' })
  options.stack.defer(async () => {
    await server[Symbol.asyncDispose]()
    forget()
    options.processes.remove(server.pid)
  })
  return {
    url: server.url,
    description: `data in ${server.dataDir}${isNew && server.dataDir === dataDir ? ' (new)' : ''}`,
  }
}

/** Of the last words of a program those that tell why, or else the last ones. */
const tellingLines = (lines: readonly string[]): string[] => {
  const words = lines.map((line) => line.trim()).filter((line) => line !== '')
  const telling = words.filter((line) => /\b(FATAL|PANIC|ERROR|HINT|error|could not|cannot)\b/.test(line))
  return telling.length > 0 ? telling.slice(-4) : words.slice(-6)
}

const placeOf = (url: string): string => {
  try {
    const { hostname, port, pathname } = new URL(url)
    return `${hostname}:${port || 5432}${pathname}`
  } catch {
    return 'DATABASE_URL'
  }
}

/** Brings the schema up to date; tells how many migrations that took. */
export const migrateStore = async ({ url }: Store): Promise<string> => {
  const { applied } = await migrate(url)
  return applied.length === 0 ? 'up to date' : `${applied.length} applied`
}
