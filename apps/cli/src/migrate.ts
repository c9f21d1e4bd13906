import type { Command } from 'commander'
import { checkDatabaseUrl } from './core/database-url.ts'
import { UsageError } from './core/failure.ts'
import { withExamples } from './core/options.ts'
import { counted, formatInstant } from './print/units.ts'
import { print, printJson, printTable } from './print/output.ts'
import type { Tone } from './print/tone.ts'

interface MigrateFlags {
  databaseUrl?: string
  json?: boolean
}

/** Loaded when it is needed: it takes longer than most commands to run. */
const loadDatabase = () => import('@sonde/database')

const databaseUrlOf = (flags: MigrateFlags): string => {
  if (flags.databaseUrl !== undefined) return checkDatabaseUrl(flags.databaseUrl, '--database-url')
  const url = process.env['DATABASE_URL']
  if (url === undefined || url === '') {
    throw new UsageError('Set DATABASE_URL, or --database-url, to the PostgreSQL to migrate.')
  }
  return checkDatabaseUrl(url, 'DATABASE_URL')
}

const TONES: Record<string, Tone> = { applied: 'good', pending: 'warning', edited: 'bad', unknown: 'warning' }

/** Adds `sonde migrate up` and `sonde migrate status`. */
export const addMigrateCommand = (program: Command): void => {
  const group = withExamples(
    program.command('migrate').description('bring the database to the schema of this version'),
    'sonde migrate up',
    'sonde migrate status',
  )
  const add = (name: string, description: string): Command =>
    group
      .command(name)
      .description(description)
      .option('--database-url <url>', 'PostgreSQL to migrate (DATABASE_URL)')
      .option('--json', 'print JSON')

  withExamples(
    add('up', 'apply the migrations that the database lacks').action(async (flags: MigrateFlags) => {
      const { migrate } = await loadDatabase()
      const { applied } = await migrate(databaseUrlOf(flags))
      if (flags.json === true) return printJson({ applied })
      for (const name of applied) await print(`applied ${name}`)
      await print(
        applied.length === 0 ? 'The database is up to date.' : `${counted(applied.length, 'migration')} applied.`,
      )
    }),
    'DATABASE_URL=postgres://127.0.0.1/sonde sonde migrate up',
  )
  withExamples(
    add('status', 'show which migrations are applied; changes nothing').action(async (flags: MigrateFlags) => {
      const { migrationStatus } = await loadDatabase()
      const migrations = await migrationStatus(databaseUrlOf(flags))
      if (flags.json === true) return printJson({ migrations })
      await printTable(
        [{ title: 'VERSION', align: 'right' }, { title: 'STATE' }, { title: 'APPLIED' }, { title: 'NAME' }],
        migrations.map(({ version, name, state, appliedAt }) => [
          String(version),
          { text: state, tone: TONES[state] ?? 'dim' },
          appliedAt === undefined ? '-' : formatInstant(appliedAt.toISOString()),
          name,
        ]),
      )
    }),
    'DATABASE_URL=postgres://127.0.0.1/sonde sonde migrate status',
  )
}
