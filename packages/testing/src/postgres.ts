import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { databaseErrorOf, openDatabase } from '@sonde/database'
import { sql } from 'kysely'
import { freePort } from './free-port.ts'
import { poll } from './poll.ts'
import { choosePlaces, type PostgresPlaces } from './postgres-binaries.ts'
import { postmasterFile, readPostmaster } from './postmaster.ts'
import { endOf, type ProcessEnd } from './process-end.ts'
import { isAlive } from './process-identity.ts'

/** What to start. */
export interface StartPostgresOptions {
  /** Made when absent, with a random superuser password inside. The server's log lies beside it as `<dataDir>.log`. */
  dataDir: string
  /** @default a free one; ignored when a server of this data directory already runs */
  port?: number
  /** True keeps every commit through a power cut; false is for tests, about twice as fast. */
  durable: boolean
  /** Told what a person may want to know, such as data that lies elsewhere than asked. */
  log?: (line: string) => void
}

/** A running server. Dispose stops it: fast shutdown, after 10 s immediate. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Superuser URL of the database `postgres`, with the password. */
  readonly url: string
  readonly pid: number
  readonly port: number
  /** Where the data really lies. */
  readonly dataDir: string
  /** True when a server that an earlier process left behind was taken over. */
  readonly reused: boolean
  /** The server's own log. */
  readonly logPath: string
  /** Resolves when it has ended, in whatever way; how is not known of one that was taken over. */
  readonly exited: Promise<ProcessEnd>
}

const PASSWORD_FILE = 'sonde.password'
const START_TIMEOUT_MS = 120_000
const FAST_SHUTDOWN_MS = 10_000
const LOOK_MS = 500
/** Settings that give up what a test never needs: survival of a power cut. */
const VOLATILE = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum=off']
const COMMON = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300', 'log_timezone=UTC']
/** English messages and UTC whatever the machine says; the working directory must be one that the server's user can enter. */
const SPAWN = { cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } }

/**
 * Starts PostgreSQL from the npm binaries on 127.0.0.1, or takes over the one that already serves `dataDir`. The first
 * start makes the data directory (about a second); a later one takes about 80 ms. Works as root (the server then runs as
 * uid 65534) and as any user. It is a process group of its own, so Ctrl-C reaches the application first.
 *
 * Throws an `Error` whose message carries the server's own last words when it does not come up.
 */
export const startPostgres = async (options: StartPostgresOptions): Promise<EmbeddedPostgres> => {
  const places = choosePlaces(options.dataDir)
  if (places.movedTo !== undefined) {
    options.log?.(`an unprivileged user cannot use this folder, so the data lies in ${places.movedTo}`)
  }
  const { dataDir } = places
  initialize(places, options.durable)
  const password = readFileSync(join(dataDir, PASSWORD_FILE), 'utf8')
  const describe = (server: { pid: number; port: number }, exited?: Promise<ProcessEnd>): EmbeddedPostgres => ({
    url: urlOf(password, server.port),
    pid: server.pid,
    port: server.port,
    dataDir,
    reused: exited === undefined,
    logPath: logOf(dataDir),
    exited: exited ?? goneOf(server.pid),
    [Symbol.asyncDispose]: () => stop(dataDir, server.pid),
  })

  const running = await findRunning(dataDir, password)
  if (running !== undefined) return describe(running)
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort())
    const outcome = await launch(places, port, options.durable)
    if (outcome.kind === 'ready') return describe({ pid: outcome.pid, port }, outcome.exited)
    // Another process can start the same directory, or take the port, in between.
    const taken = await findRunning(dataDir, password)
    if (taken !== undefined) return describe(taken)
    const passing =
      /pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(outcome.log) ||
      (options.port === undefined && /could not bind|Address already in use/i.test(outcome.log))
    if (!passing || attempt === 5) throw new Error(`PostgreSQL did not start in ${dataDir}. It said:\n${outcome.log}`)
    await new Promise((resolve) => setTimeout(resolve, attempt * 300))
  }
}

/** Waits out a server that is starting or stopping; removes a `postmaster.pid` whose pid is another program by now. */
const findRunning = async (dataDir: string, password: string): Promise<{ pid: number; port: number } | undefined> => {
  const found = await poll(
    async () => {
      const postmaster = readPostmaster(dataDir)
      if (postmaster.kind !== 'alive') return postmaster
      return postmaster.ready && (await answers(urlOf(password, postmaster.port))) ? postmaster : undefined
    },
    { what: `the PostgreSQL in ${dataDir} to become ready or to end`, timeoutMs: START_TIMEOUT_MS },
  )
  if (found.kind === 'foreign') rmSync(postmasterFile(dataDir), { force: true })
  return found.kind === 'alive' ? found : undefined
}

const urlOf = (password: string, port: number): string => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`

/** A process that was killed a moment ago still looks alive, so only an answer counts; a refusal by the server is one. */
const answers = async (url: string): Promise<boolean> => {
  await using database = openDatabase({ url, maxConnections: 1 })
  try {
    await sql`select 1`.execute(database.db)
    return true
  } catch (error) {
    return /^(28|53)/.test(databaseErrorOf(error)?.code ?? '')
  }
}

/**
 * initdb works in a neighbour that is renamed when whole, password included: a killed one never leaves a directory that
 * looks made, and of two at once one wins.
 */
const initialize = ({ dataDir, initdb, user }: PostgresPlaces, durable: boolean): void => {
  if (existsSync(join(dataDir, 'PG_VERSION'))) return
  mkdirSync(dirname(dataDir), { recursive: true })
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new Error(`${dataDir} is not empty and holds no PostgreSQL data. Name another folder, or empty this one.`)
  }
  removeUnfinished(dataDir)
  const fresh = `${dataDir}.init-${process.pid}`
  const passwordFile = `${fresh}.password`
  try {
    mkdirSync(fresh, { mode: 0o700 })
    writeFileSync(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 })
    if (user !== undefined) for (const path of [fresh, passwordFile]) chownSync(path, user.uid, user.gid)
    const args = ['-D', fresh, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    const made = spawnSync(initdb, [...args, ...(durable ? [] : ['--no-sync']), '--locale=C', '--encoding=UTF8'], {
      ...SPAWN,
      ...user,
      encoding: 'utf8',
    })
    if (made.status !== 0) {
      const said = [made.error?.message, made.stderr, made.stdout].filter(Boolean).join('\n')
      throw new Error(`PostgreSQL could not make its data directory ${dataDir}. It said:\n${said}`)
    }
    renameSync(passwordFile, join(fresh, PASSWORD_FILE))
    renameSync(fresh, dataDir)
  } catch (error) {
    if (!existsSync(join(dataDir, PASSWORD_FILE))) throw error
  } finally {
    for (const path of [fresh, passwordFile]) rmSync(path, { recursive: true, force: true })
  }
}

const removeUnfinished = (dataDir: string): void => {
  const prefix = `${basename(dataDir)}.init-`
  for (const name of readdirSync(dirname(dataDir))) {
    const pid = Number.parseInt(name.slice(prefix.length), 10)
    if (!name.startsWith(prefix) || (pid !== process.pid && isAlive(pid))) continue
    rmSync(join(dirname(dataDir), name), { recursive: true, force: true })
  }
}

const logOf = (dataDir: string): string => `${dataDir}.log`

/** The end of a process that is nobody's child here. */
const goneOf = async (pid: number): Promise<ProcessEnd> => {
  while (isAlive(pid)) await sleep(LOOK_MS, undefined, { ref: false })
  return { code: null, signal: null }
}

type Launch = { kind: 'ready'; pid: number; exited: Promise<ProcessEnd> } | { kind: 'ended'; log: string }

const launch = async (places: PostgresPlaces, port: number, durable: boolean): Promise<Launch> => {
  const { dataDir, postgres, user } = places
  const logFile = logOf(dataDir)
  const out = openSync(logFile, 'w', 0o600)
  chmodSync(logFile, 0o600)
  const settings = [...COMMON, ...(durable ? [] : VOLATILE)].flatMap((setting) => ['-c', setting])
  const child = spawn(postgres, ['-D', dataDir, '-p', String(port), ...settings], {
    ...SPAWN,
    ...user,
    detached: true,
    stdio: ['ignore', out, out],
  })
  closeSync(out)
  let failure: Error | undefined
  child.once('error', (error) => (failure = error))
  const exited = endOf(child, 'exit')
  child.unref()
  const ready = poll(
    () => {
      const postmaster = readPostmaster(dataDir)
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return 'ended'
      return postmaster.kind === 'alive' && postmaster.ready && postmaster.pid === child.pid ? 'ready' : undefined
    },
    { what: `PostgreSQL in ${dataDir} to become ready`, everyMs: 10, timeoutMs: START_TIMEOUT_MS },
  )
  if ((await ready) === 'ready' && child.pid !== undefined) return { kind: 'ready', pid: child.pid, exited }
  await exited
  const lastLines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-15).join('\n')
  return { kind: 'ended', log: lastLines || (failure?.message ?? 'nothing') }
}

/** SIGINT is PostgreSQL's fast shutdown: sessions are cut, everything is written. SIGQUIT leaves recovery to the next start. */
const stop = async (dataDir: string, pid: number): Promise<void> => {
  const isServing = (): boolean => {
    const postmaster = readPostmaster(dataDir)
    return postmaster.kind === 'alive' && postmaster.pid === pid
  }
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!isServing()) return
    process.kill(pid, signal)
    const gone = poll(() => !isServing(), { what: 'PostgreSQL to stop', everyMs: 10, timeoutMs: FAST_SHUTDOWN_MS })
    if (await gone.catch(() => false)) return
  }
  throw new Error(`PostgreSQL (pid ${pid}) in ${dataDir} cannot be stopped`)
}
