import { execFile } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** A server program that can be run, or the reason why there is none. */
export type RedisServer = RedisServerProgram | { kind: 'none'; reason: string }

/** Where the program is and what its environment needs besides. */
export interface RedisServerProgram {
  kind: 'found'
  path: string
  env: Record<string, string>
}

const run = promisify(execFile)
/** Redis 7.0 and what Debian 12 links it to; libssl3, libatomic1 and libsystemd0 are in its base system. */
const PACKAGES = [
  'redis-server',
  'redis-tools',
  'libjemalloc2',
  'liblzf1',
  'liblua5.1-0',
  'lua-cjson',
  'lua-bitop',
  'libhiredis0.14',
]

/** Looked for once a process: the last way downloads. */
let search: Promise<RedisServer> | undefined

/**
 * Finds a Valkey or Redis server: `$REDIS_SERVER`, then `valkey-server` or `redis-server` on PATH, then an earlier extraction, then Debian's
 * packages, extracted without root into a folder of the user's own. For tests only.
 */
export const findRedisServer = (): Promise<RedisServer> => {
  search ??= findNow(process.env)
  return search
}

/** {@link findRedisServer} without its memory. */
export const findNow = async (env: NodeJS.ProcessEnv): Promise<RedisServer> => {
  const named = env['REDIS_SERVER']
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return { kind: 'found', path: named, env: {} }
    return { kind: 'none', reason: `REDIS_SERVER names ${named}, which cannot be run` }
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const name of ['valkey-server', 'redis-server']) {
    const folder = folders.find((candidate) => isExecutable(join(candidate, name)))
    if (folder !== undefined) return { kind: 'found', path: join(folder, name), env: {} }
  }
  return extracted(join(tmpdir(), `sonde-redis-server-${userInfo().uid}`))
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

const extracted = async (home: string): Promise<RedisServer> => {
  const advice = 'Install valkey-server or redis-server, or name one in REDIS_SERVER'
  if (existsSync(home) && statSync(home).uid !== userInfo().uid) {
    return { kind: 'none', reason: `${home} belongs to another user. ${advice}` }
  }
  if (!existsSync(join(home, 'usr/bin/redis-server'))) {
    if (!existsSync('/usr/bin/apt-get'))
      return { kind: 'none', reason: `There is no Valkey or Redis server here. ${advice}` }
    try {
      await extract(home)
    } catch (error) {
      const why = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error)
      return {
        kind: 'none',
        reason: `No Valkey or Redis server here, and Debian's could not be fetched: ${why}. ${advice}`,
      }
    }
  }
  const libraries = join(home, 'usr/lib')
  const folders = readdirSync(libraries).map((name) => join(libraries, name))
  return { kind: 'found', path: join(home, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: folders.join(delimiter) } }
}

/** With a package state of its own, apt needs no root: about 3 s and 1.5 MB. Renamed when whole, so that a killed one counts for nothing. */
const extract = async (home: string): Promise<void> => {
  const work = mkdtempSync(`${home}-`)
  try {
    const state = join(work, 'state')
    const cache = join(work, 'cache')
    const debs = join(work, 'debs')
    const root = join(work, 'root')
    for (const dir of [join(state, 'lists/partial'), join(cache, 'archives/partial'), debs, root]) {
      mkdirSync(dir, { recursive: true })
    }
    const settings = [`Dir::State=${state}`, 'Dir::State::status=/var/lib/dpkg/status', `Dir::Cache=${cache}`]
    const options = [...settings, 'Debug::NoLocking=1', 'APT::Sandbox::User='].flatMap((setting) => ['-o', setting])
    await run('apt-get', [...options, 'update'], { cwd: debs })
    await run('apt-get', [...options, 'download', ...PACKAGES], { cwd: debs })
    for (const name of readdirSync(debs)) await run('dpkg', ['-x', join(debs, name), root])
    mkdirSync(dirname(home), { recursive: true })
    if (!existsSync(home)) renameSync(root, home)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
