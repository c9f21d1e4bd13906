import { SondeError, toSondeError } from '@sonde/contracts'
import { DatabaseError, type Client } from 'pg'
import { connectOnce } from './connect-once.ts'
import { readMigrationFiles, type MigrationFile } from './migration-files.ts'

/** Options of {@link migrationStatus}. */
export interface MigrationStatusOptions {
  /** Folder of the SQL files. @default `migrations/` at the root of the repository */
  dir?: string
  /** True throws instead of returning a state that this version of Sonde cannot work with. @default false */
  requireCurrent?: boolean
}

/** Options of {@link migrate}. */
export interface MigrateOptions {
  /** Folder of the SQL files. @default `migrations/` at the root of the repository */
  dir?: string
  /** Told of each migration that was applied. */
  log?: (line: string) => void
}

/** One migration as files and database together know it. */
export interface MigrationState {
  version: number
  name: string
  /** The first line of the file; absent for a version that only the database knows. */
  purpose?: string
  breaking: boolean
  /** `unknown`: applied by a newer version of Sonde. */
  state: 'applied' | 'pending' | 'edited' | 'unknown'
  appliedAt: Date | undefined
}

interface AppliedRow {
  version: number
  name: string
  sha256: Buffer
  breaking: boolean
  applied_at: Date
}

const OLDEST_POSTGRES = 15
/** Key of the lock that lets one runner at a time apply a file. */
const LOCK_KEY = 7_373_000_001
const CREATE_TABLE = `create table if not exists schema_migrations (
  version int primary key,
  name text not null,
  sha256 bytea not null,
  breaking boolean not null,
  applied_at timestamptz not null default now()
)`

/**
 * Applies the migrations that the database lacks, in order, each in its own transaction; safe with any number of runners
 * at once. Returns the file names that this call applied.
 *
 * Throws `migration.edited` (before anything is applied), `migration.newer_schema`, `migration.failed` (that file is rolled back, earlier
 * ones stay), `database.unavailable`.
 */
export const migrate = async (url: string, options: MigrateOptions = {}): Promise<{ applied: string[] }> => {
  const files = await readMigrationFiles(options.dir)
  await using connection = await connectOnce(url)
  const { client } = connection
  await requireSupportedServer(client)
  await inLockedTransaction(client, async () => {
    await client.query(CREATE_TABLE)
    refuseUnfit(files, await readApplied(client))
  })
  const applied: string[] = []
  for (const file of files) {
    const mine = await inLockedTransaction(client, () => applyOnce(client, file, files))
    if (!mine) continue
    applied.push(file.fileName)
    options.log?.(`Applied migration ${file.fileName}`)
  }
  return { applied }
}

/**
 * What is applied, pending, edited or unknown, by ascending version. Changes nothing. Throws `database.unavailable`; with
 * `requireCurrent` also `migration.edited`, `migration.newer_schema`, and `migration.failed` when migrations are pending.
 */
export const migrationStatus = async (url: string, options: MigrationStatusOptions = {}): Promise<MigrationState[]> => {
  const files = await readMigrationFiles(options.dir)
  await using connection = await connectOnce(url)
  const { rows } = await connection.client.query<{ exists: boolean }>(
    `select to_regclass('schema_migrations') is not null as exists`,
  )
  const applied = rows[0]?.exists === true ? await readApplied(connection.client) : []
  if (options.requireCurrent === true) requireCurrent(files, applied)
  const known = files.map((file): MigrationState => {
    const row = applied.find((candidate) => candidate.version === file.version)
    const state = row === undefined ? 'pending' : row.sha256.equals(file.sha256) ? 'applied' : 'edited'
    const { version, name, purpose, breaking } = file
    return { version, name, purpose, breaking, state, appliedAt: row?.applied_at }
  })
  const unknown = unknownRows(files, applied).map(({ version, name, breaking, applied_at }): MigrationState => ({
    version,
    name,
    breaking,
    state: 'unknown',
    appliedAt: applied_at,
  }))
  return [...known, ...unknown].toSorted((one, other) => one.version - other.version)
}

const readApplied = async (client: Client): Promise<AppliedRow[]> =>
  (await client.query<AppliedRow>('select * from schema_migrations order by version')).rows

const unknownRows = (files: readonly MigrationFile[], applied: readonly AppliedRow[]): AppliedRow[] =>
  applied.filter((row) => !files.some((file) => file.version === row.version))

const refuseUnfit = (files: readonly MigrationFile[], applied: readonly AppliedRow[]): void => {
  const edited = files.find((file) =>
    applied.some((row) => row.version === file.version && !row.sha256.equals(file.sha256)),
  )
  if (edited !== undefined) {
    throw new SondeError('migration.edited', {
      message:
        `The migration ${edited.fileName} was changed after it had been applied to this database. ` +
        'Restore the file, and put the change into a new migration. Nothing was applied.',
      details: { file: edited.fileName },
    })
  }
  const newer = unknownRows(files, applied).find((row) => row.breaking)
  if (newer === undefined) return
  throw new SondeError('migration.newer_schema', {
    message:
      `This database has the migration ${newer.version} (${newer.name}) of a newer version of Sonde, and older versions ` +
      `cannot work with it: this one knows migrations up to ${files.at(-1)?.version ?? 0}. Upgrade this installation.`,
    details: { version: newer.version, name: newer.name },
  })
}

const requireCurrent = (files: readonly MigrationFile[], applied: readonly AppliedRow[]): void => {
  refuseUnfit(files, applied)
  const pending = files.filter((file) => !applied.some((row) => row.version === file.version))
  if (pending.length === 0) return
  throw new SondeError('migration.failed', {
    message: `The database lacks ${pending.map((file) => file.fileName).join(', ')}. Run: sonde migrate`,
    details: { pending: pending.map((file) => file.fileName) },
  })
}

const requireSupportedServer = async (client: Client): Promise<void> => {
  const { rows } = await client.query<{ number: number; text: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as text`,
  )
  const [version] = rows
  if (version !== undefined && version.number >= OLDEST_POSTGRES * 10_000) return
  throw new SondeError('migration.failed', {
    message: `Sonde needs PostgreSQL ${OLDEST_POSTGRES} or later; this server is ${version?.text ?? 'of unknown version'}.`,
  })
}

/** A transaction-level lock ends with its transaction, whatever becomes of the runner that holds it. */
const inLockedTransaction = async <T>(client: Client, work: () => Promise<T>): Promise<T> => {
  await client.query('begin')
  try {
    await client.query('select pg_advisory_xact_lock($1::bigint)', [LOCK_KEY])
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    // A lost connection has rolled back already; the error that tells of it is the first one.
    await client.query('rollback').catch(() => {})
    throw failureOf(error)
  }
}

/** Another runner may have applied this file, or a newer version of Sonde all of its own, while this one waited for the lock. */
const applyOnce = async (client: Client, file: MigrationFile, files: readonly MigrationFile[]): Promise<boolean> => {
  const applied = await readApplied(client)
  refuseUnfit(files, applied)
  if (applied.some((row) => row.version === file.version)) return false
  try {
    await client.query(file.sql)
  } catch (error) {
    throw failureOf(error, file)
  }
  await client.query('insert into schema_migrations (version, name, sha256, breaking) values ($1, $2, $3, $4)', [
    file.version,
    file.name,
    file.sha256,
    file.breaking,
  ])
  return true
}

/** Names the file and the place in it. A disk that is full or a server that went away keeps its own code, since trying again helps. */
const failureOf = (error: unknown, file?: MigrationFile): SondeError => {
  const known = toSondeError(error)
  if (known.code !== 'internal.unexpected') return known
  if (!(error instanceof DatabaseError)) {
    return new SondeError('database.unavailable', {
      message: `The connection to the database was lost during a migration, which was rolled back: ${String(error)}`,
      cause: error,
    })
  }
  const position = error.position === undefined ? undefined : Number(error.position)
  const line =
    file === undefined || position === undefined ? undefined : file.sql.slice(0, position - 1).split('\n').length
  const subject = file === undefined ? 'The migration' : `The migration ${file.fileName}`
  const at = line === undefined ? '' : `, line ${line}`
  return new SondeError('migration.failed', {
    message: `${subject} failed and was rolled back: ${error.message} (SQLSTATE ${error.code}${at}).`,
    details: { file: file?.fileName, sqlstate: error.code, position, line },
    cause: error,
  })
}
