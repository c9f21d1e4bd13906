import { SondeError } from '@sonde/contracts'
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One `migrations/NNNN_name.sql`. */
export interface MigrationFile {
  version: number
  name: string
  fileName: string
  /** The first line, which is a comment, without its dashes. */
  purpose: string
  /** True where a line `--! breaking` says that older versions of Sonde must stop. */
  breaking: boolean
  /** Over the bytes of the file. */
  sha256: Buffer
  sql: string
}

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url))
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/

const broken = (message: string): SondeError => new SondeError('migration.failed', { message })

/** Reads a folder of migrations by ascending version. Throws `migration.failed` for a file that breaks the rules, by name. */
export const readMigrationFiles = async (dir: string = MIGRATIONS): Promise<MigrationFile[]> => {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.sql')).toSorted()
  const files = await Promise.all(names.map((name) => readMigration(dir, name)))
  files.forEach((file, index) => {
    const previous = files[index - 1]
    if (previous?.version !== file.version) return
    throw broken(`The migrations ${previous.fileName} and ${file.fileName} have the same number. Give one another.`)
  })
  return files
}

const readMigration = async (dir: string, fileName: string): Promise<MigrationFile> => {
  const [, digits, name] = FILE_NAME.exec(fileName) ?? []
  if (digits === undefined || name === undefined) {
    throw broken(`The migration ${fileName} needs a name like 0001_what_it_makes.sql.`)
  }
  const bytes = await readFile(join(dir, fileName))
  const sql = bytes.toString('utf8')
  const purpose = /^-- *(\S.*)/.exec(sql)?.[1]
  if (purpose === undefined) throw broken(`The first line of the migration ${fileName} must be a comment: its purpose.`)
  return {
    version: Number(digits),
    name,
    fileName,
    purpose,
    breaking: /^--! breaking\s*$/m.test(sql),
    sha256: createHash('sha256').update(bytes).digest(),
    sql,
  }
}
