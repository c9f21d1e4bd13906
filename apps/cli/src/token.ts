import { roleSchema, tokenCreateInput, type Token } from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { checkDatabaseUrl } from './core/database-url.ts'
import { UsageError } from './core/failure.ts'
import { connected, durationValue, idValue, withExamples, type CommonFlags } from './core/options.ts'
import { note, print, printJson, printTable } from './print/output.ts'
import type { Cell } from './print/table.ts'
import { formatInstant } from './print/units.ts'

interface CreateFlags extends CommonFlags {
  kind: 'person' | 'node'
  name: string
  role?: string
  ttl?: number
}

/** Adds `sonde token create`, `list` and `revoke`. */
export const addTokenCommands = (program: Command): void => {
  const group = withExamples(
    program.command('token').description('tokens of people and of nodes'),
    'sonde token create --kind node --name rack-7',
    'sonde token list',
  )
  withExamples(
    connected(group.command('create'))
      .description(
        'make a token and print it, once; with DATABASE_URL, and no control plane named: an owner token, on the database itself',
      )
      .addOption(new Option('--kind <kind>', 'whom it is for').choices(['person', 'node']).default('person'))
      .requiredOption('--name <name>', 'name of the person or node')
      .addOption(new Option('--role <role>', 'role of the person in the session').choices(roleSchema.options))
      .option('--ttl <duration>', 'life of the token (default: 90d)', durationValue)
      .action(create),
    'sonde token create --name Ada --role operator',
    'sonde token create --kind node --name rack-7 --ttl 30d',
    'DATABASE_URL=postgres://127.0.0.1/sonde sonde token create --name Ada',
  )
  withExamples(
    connected(group.command('list')).description('list the tokens of the session').action(list),
    'sonde token list --json',
  )
  withExamples(
    connected(group.command('revoke'))
      .description('end a token for good')
      .argument('<token>', 'id of the token', idValue)
      .action(revoke),
    'sonde token revoke 01930f2e-7c1a-7a00-8000-0123456789ab',
  )
}

const create = async (flags: CreateFlags): Promise<void> => {
  const databaseUrl = process.env['DATABASE_URL']
  const named = flags.url ?? process.env['SONDE_URL']
  const made = databaseUrl && !named ? await createOnDatabase(databaseUrl, flags) : await createOnControlPlane(flags)
  if (flags.json === true) return printJson(made)
  await print(made.token)
  note(`Shown only now. It ends ${formatInstant(made.expiresAt)}.`)
}

const createOnControlPlane = async (flags: CreateFlags) => {
  const { kind, name, role, ttl } = flags
  if (kind === 'person' && role === undefined) {
    throw new UsageError(`Say what the person may do: --role ${roleSchema.options.join('|')}`)
  }
  if (kind === 'node' && role !== undefined) throw new UsageError('A node has no role of its own; leave out --role.')
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const ttlMs = ttl === undefined ? {} : { ttlMs: ttl }
  const input = checkInput(tokenCreateInput, {
    kind,
    sessionId,
    name,
    ...(kind === 'person' ? { role } : {}),
    ...ttlMs,
  })
  return await connection.call((rpc) => rpc.tokens.create.mutate(input))
}

const createOnDatabase = async (databaseUrl: string, { kind, name, role, ttl }: CreateFlags) => {
  if (kind === 'node' || (role !== undefined && role !== 'owner')) {
    throw new UsageError('On the database itself only an owner token can be made. For others give --url or SONDE_URL.')
  }
  const url = checkDatabaseUrl(databaseUrl, 'DATABASE_URL')
  // Loaded here: it takes longer than most commands to run.
  const { createOwnerToken, openDatabase } = await import('@sonde/database')
  await using database = openDatabase({ url, maxConnections: 1 })
  const made = await createOwnerToken(database.db, { name, ...(ttl !== undefined && { ttlMs: ttl }) })
  return { ...made, kind, expiresAt: made.expiresAt.toISOString() }
}

const stateOf = ({ revokedAt, expiresAt }: Token): Cell => {
  if (revokedAt !== null) return { text: 'revoked', tone: 'bad' }
  return Date.parse(expiresAt) <= Date.now() ? { text: 'expired', tone: 'warning' } : { text: 'valid', tone: 'good' }
}

const list = async (flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const { tokens } = await connection.call((rpc) => rpc.tokens.list.query({ sessionId }))
  if (flags.json === true) return printJson({ tokens })
  await printTable(
    [{ title: 'TOKEN' }, { title: 'KIND' }, { title: 'STATE' }, { title: 'ENDS' }, { title: 'NAME', shrinks: true }],
    tokens.map((token) => [token.tokenId, token.kind, stateOf(token), formatInstant(token.expiresAt), token.name]),
  )
}

const revoke = async (tokenId: string, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const result = await connection.call((rpc) => rpc.tokens.revoke.mutate({ sessionId, tokenId }))
  await (flags.json === true ? printJson(result) : print(`Revoked ${tokenId}; it is refused within a second.`))
}
