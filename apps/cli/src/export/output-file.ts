import { randomBytes } from 'node:crypto'
import { constants, createWriteStream, openSync } from 'node:fs'
import { lstat, readlink, rename, rm, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { dirname, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

const MOST_LINKS = 40
/** Nothing tells that a fifo has got a reader. */
const FIFO_LOOK_MS = 50

export const orAbsent = async <T>(found: Promise<T>): Promise<T | undefined> => {
  try {
    return await found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Where a name leads, also when nothing is there yet: links themselves are never replaced. */
export const behindLinks = async (path: string): Promise<string> => {
  let at = path
  for (let links = 0; links < MOST_LINKS; links += 1) {
    const found = await orAbsent(lstat(at))
    if (!found?.isSymbolicLink()) return at
    at = resolve(dirname(at), await readlink(at))
  }
  throw Object.assign(new Error(`ELOOP: too many links, open '${path}'`), { code: 'ELOOP', path })
}

/** Opens a fifo once it has a reader. A plain open, and a plain write while the reader is slow, would block a thread that no signal frees. */
const openFifo = async (path: string, signal: AbortSignal): Promise<Writable> => {
  for (;;) {
    signal.throwIfAborted()
    try {
      return new Socket({ fd: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK), readable: false })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await sleep(FIFO_LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

export interface OutputJob {
  path: string
  /** Ends the wait for a fifo's reader. What `fill` does is its own. */
  signal: AbortSignal
  fill: (stream: Writable) => Promise<void>
}

/**
 * Lets `fill` write a file. A regular file appears under its name only when it is whole: until then it is written beside it, under
 * a name that nobody uses, and it is removed when `fill` fails. What is there and is no regular file (a device, a fifo) is written into. A new file
 * is for its owner alone (0600), one that is replaced keeps its mode. Throws what `fill` or the system throws, and the signal's reason.
 */
export const writeOutput = async ({ path, signal, fill }: OutputJob): Promise<void> => {
  const before = await orAbsent(stat(path))
  if (before?.isFIFO()) return await fill(await openFifo(path, signal))
  if (before !== undefined && !before.isFile()) return await fill(createWriteStream(path))
  const file = await behindLinks(path)
  const part = `${file}.${randomBytes(4).toString('hex')}.part`
  const mode = before === undefined ? 0o600 : before.mode & 0o777
  try {
    await fill(createWriteStream(part, { flags: 'wx', mode, flush: true }))
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true }).catch(() => {})
    throw namedAs(error, path)
  }
}

/** A failure of a file beside it is told of the file that was asked for. */
export const namedAs = (error: unknown, file: string): unknown =>
  error instanceof Error && 'path' in error && typeof error.path === 'string' && /\.part(\.json)?$/.test(error.path)
    ? Object.assign(error, { path: file, message: error.message.replaceAll(error.path, file) })
    : error
