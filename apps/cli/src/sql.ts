import { spawn } from 'node:child_process'
import type { Command } from 'commander'
import { checkDatabaseUrl } from './core/database-url.ts'
import { ExitCode, LocalFailure, UsageError } from './core/failure.ts'
import { withExamples } from './core/options.ts'

interface SqlFlags {
  databaseUrl?: string
  command?: string
}

/** What a session of psql begins with: the role that reads the views and nothing else, and statements that end. */
const SETTINGS = [
  'role=sonde_ops_reader',
  'search_path=sonde_ops',
  'default_transaction_read_only=on',
  'statement_timeout=30s',
  'idle_in_transaction_session_timeout=60s',
]

/** Adds `sonde sql`. */
export const addSqlCommand = (program: Command): void => {
  withExamples(
    program
      .command('sql')
      .description('open psql on the read-only views of the database; docs/operator-queries.md describes them')
      .option('--database-url <url>', 'PostgreSQL to read (READ_DATABASE_URL, else DATABASE_URL)')
      .option('-c, --command <sql>', 'run this and end')
      .action(run),
    'DATABASE_URL=postgres://127.0.0.1/sonde sonde sql',
    'sonde sql -c "select host, state from nodes"',
  )
}

const urlOf = ({ databaseUrl }: SqlFlags): string => {
  if (databaseUrl !== undefined) return checkDatabaseUrl(databaseUrl, '--database-url')
  for (const name of ['READ_DATABASE_URL', 'DATABASE_URL']) {
    const url = process.env[name]
    if (url !== undefined && url !== '') return checkDatabaseUrl(url, name)
  }
  throw new UsageError('Set READ_DATABASE_URL or DATABASE_URL, or --database-url, to the PostgreSQL to read.')
}

/** The URL goes by the environment: it may hold a password, and arguments are shown to every user of the machine. */
const environmentOf = (url: string): NodeJS.ProcessEnv => {
  const { hostname, port, pathname, username, password, searchParams } = new URL(url)
  const given = {
    PGHOST: searchParams.get('host') ?? decodeURIComponent(hostname),
    PGPORT: port,
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGSSLMODE: searchParams.get('sslmode') ?? '',
    PGOPTIONS: SETTINGS.map((setting) => `-c ${setting}`).join(' '),
    PGAPPNAME: 'sonde sql',
  }
  return { ...process.env, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')) }
}

const run = async (flags: SqlFlags): Promise<void> => {
  const env = environmentOf(urlOf(flags))
  const args = ['--no-psqlrc', ...(flags.command === undefined ? [] : ['--command', flags.command])]
  const child = spawn('psql', args, { stdio: 'inherit', env })
  // Ctrl-C ends a statement, not this command; psql has it from the terminal.
  process.on('SIGINT', () => undefined)
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new LocalFailure('psql was not found. Install the client of PostgreSQL, or use the procedures ops.*.', {
          cause,
        }),
      ),
    )
    child.once('exit', (code) => resolve(code ?? ExitCode.failed))
  })
}
