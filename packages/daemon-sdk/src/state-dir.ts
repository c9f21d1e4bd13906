import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

/** Where one daemon keeps what must outlive it. Held by one process at a time; dispose to let go of it. */
export interface StateDir extends Disposable {
  readonly path: string
  /** `node-` and 128 random bits in hex; the same for the life of the directory. */
  readonly nodeId: string
}

const NODE_ID = /^node-[0-9a-f]{32}$/
/** A process that began to take over a dead one's lock and died within the few system calls of it is forgotten after this. */
const TAKEOVER_MS = 10_000
const POLL_MS = 5

/**
 * Opens a daemon's state directory and makes what is missing: the directory (0700) and the node id (0600). Throws when
 * another living process holds it, and says which; what a dead one left is taken over.
 */
export const openStateDir = (path: string): StateDir => {
  const dir = resolve(path)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = join(dir, 'daemon.lock')
  const mine = takeLock(dir, lock)
  try {
    return {
      path: dir,
      nodeId: loadOrCreateNodeId(dir),
      [Symbol.dispose]: () => release(lock, mine),
    }
  } catch (error) {
    release(lock, mine)
    throw error
  }
}

/** The node id kept in `dir`, made at the first call. Two processes that call it at once get the same one. */
export const loadOrCreateNodeId = (dir: string): string => {
  const file = join(dir, 'node-id')
  const known =
    readIfThere(file) ?? (createWhole(dir, file, `node-${randomBytes(16).toString('hex')}\n`), readIfThere(file) ?? '')
  const nodeId = known.trim()
  if (NODE_ID.test(nodeId)) return nodeId
  throw new Error(`${file} does not hold a node id. Restore it, or delete it to become a new node.`)
}

/** Returns what was written into the lock. */
const takeLock = (dir: string, lock: string): string => {
  const mine = `${JSON.stringify({ pid: process.pid, started: startOf(process.pid), key: randomBytes(8).toString('hex') })}\n`
  for (;;) {
    if (createWhole(dir, lock, mine)) return mine
    const found = readIfThere(lock)
    if (found === undefined) continue
    const pid = livingHolder(found)
    if (pid !== undefined) {
      throw new Error(
        `Another daemon (pid ${pid}) uses the state directory ${dir}. Stop it, or give this one a directory of its own ` +
          'by SONDE_STATE_DIR.',
      )
    }
    if (takeOver({ dir, lock, found, mine })) return mine
    sleepSync(POLL_MS)
  }
}

/**
 * Replaces the lock of a dead process. Only who holds the marker that is named after that very lock may replace it, and
 * looks again before it does: so of several that found the same dead lock one wins, and a living lock is never replaced.
 */
const takeOver = (takeover: { dir: string; lock: string; found: string; mine: string }): boolean => {
  const { dir, lock, found, mine } = takeover
  const marker = `${lock}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`
  if (!createWhole(dir, marker, mine)) {
    if (ageMs(marker) > TAKEOVER_MS) rmSync(marker, { force: true })
    return false
  }
  try {
    if (readIfThere(lock) !== found) return false
    const next = `${marker}.next`
    rmSync(next, { force: true })
    createWhole(dir, next, mine)
    renameSync(next, lock)
    return true
  } finally {
    rmSync(marker, { force: true })
  }
}

const release = (lock: string, mine: string): void => {
  if (readIfThere(lock) === mine) rmSync(lock, { force: true })
}

/** The pid in a lock, if that process lives. With its start time a pid names one process for good; without /proc it must do alone. */
const livingHolder = (content: string): number | undefined => {
  const holder = parse(content)
  if (!holder) return undefined
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined
  }
  const started = startOf(holder.pid)
  const isAnother = started !== null && holder.started !== null && started !== holder.started
  return isAnother ? undefined : holder.pid
}

const parse = (content: string): { pid: number; started: string | null } | undefined => {
  try {
    const value: unknown = JSON.parse(content)
    if (value === null || typeof value !== 'object' || !('pid' in value) || !('started' in value)) return undefined
    const { pid, started } = value
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0) return undefined
    return { pid, started: typeof started === 'string' ? started : null }
  } catch {
    return undefined
  }
}

/** When a process was started, in ticks since boot; null where /proc does not tell. */
const startOf = (pid: number): string | null => {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === undefined) return null
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? 'zombie' : (fields[19] ?? null)
}

/** Creates a file with its whole content, or not at all. False when it is there already. */
export const createWhole = (dir: string, file: string, content: string): boolean => {
  const partial = join(dir, `.${randomBytes(8).toString('hex')}`)
  const handle = openSync(partial, 'wx', 0o600)
  try {
    writeSync(handle, content)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  try {
    linkSync(partial, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(partial, { force: true })
  }
}

/** The content of a file; undefined where there is none. */
export const readIfThere = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // ESRCH: a process that ended while its entry of /proc was read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}

const sleepSync = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const ageMs = (file: string): number => {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat ? Date.now() - stat.mtimeMs : 0
}
