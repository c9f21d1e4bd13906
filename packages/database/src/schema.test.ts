import { readFile } from 'node:fs/promises'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Database } from './open.ts'

/** One column as the types or the live database describe it: class of its type, nullability, and how it is filled by itself. */
type Column = `${string} ${'null' | 'not null'} ${Filled}`
type Filled = 'plain' | 'default' | 'generated'
type Tables = Map<string, Map<string, Column>>

/** Which classes a TypeScript type may stand for; `string` is narrowed by nothing, so it stands for all that pg gives as text. */
const CLASSES: Record<string, readonly string[]> = {
  string: ['text', 'uuid', 'date'],
  number: ['smallint', 'integer', 'bigint'],
  boolean: ['boolean'],
  Date: ['timestamp with time zone'],
  Buffer: ['bytea'],
  json: ['jsonb'],
}

const WRAPPERS: Record<string, (inner: string) => { base: string; filled: Filled }> = {
  Default: (inner) => ({ base: inner, filled: 'default' }),
  GeneratedAlways: (inner) => ({ base: inner, filled: 'generated' }),
  Json: () => ({ base: 'json', filled: 'plain' }),
  JsonWithDefault: () => ({ base: 'json', filled: 'default' }),
  NullableJson: () => ({ base: 'json | null', filled: 'plain' }),
}

const readColumn = (type: string): Column => {
  const [, wrapper = '', inner = ''] = /^(\w+)<(.*)>$/s.exec(type) ?? []
  const { base, filled } = WRAPPERS[wrapper]?.(inner) ?? { base: type, filled: 'plain' }
  const parts = base.split('|').map((part) => part.trim())
  const nullable = parts.includes('null')
  const classes = parts
    .filter((part) => part !== 'null' && part !== '')
    .map((part) => (part.startsWith("'") ? 'string' : part))
  const [name] = new Set(classes)
  if (name === undefined || new Set(classes).size > 1 || CLASSES[name] === undefined) {
    throw new Error(`schema.test.ts cannot read the type ${type}`)
  }
  return `${name} ${nullable ? 'null' : 'not null'} ${filled}`
}

/** Types are gone at run time, so their source is read: interfaces of `name: Type` lines, and `Schema`, which names the tables. */
const readTypes = (source: string): Tables => {
  const bodies = new Map<string, Map<string, string>>()
  for (const [, name = '', body = ''] of source.matchAll(/^export interface (\w+) \{\n(.*?)^\}/gms)) {
    const text = body.replaceAll(/\/\*\*.*?\*\//gs, '')
    const fields = [...text.matchAll(/^ {2}(\w+): ?(.*?)(?=^ {2}\w+:|(?![^]))/gms)]
    bodies.set(name, new Map(fields.map(([, field = '', type = '']) => [field, type.trim()])))
  }
  const tables: Tables = new Map()
  for (const [table, type] of bodies.get('Schema') ?? []) {
    const fields = bodies.get(type)
    if (fields === undefined) throw new Error(`Schema.${table} names ${type}, which is no interface of this file`)
    tables.set(table, new Map([...fields].map(([field, text]) => [field, readColumn(text)])))
  }
  return tables
}

const readLive = async ({ db }: Database): Promise<Tables> => {
  const { rows } = await sql<{ table: string; column: string; type: string; nullable: boolean; filled: Filled }>`
    select c.table_name as "table", c.column_name as "column", c.data_type as type, c.is_nullable = 'YES' as nullable,
      case when c.is_generated = 'ALWAYS' or c.identity_generation = 'ALWAYS' then 'generated'
        when c.column_default is not null then 'default' else 'plain' end as filled
    from information_schema.columns c
    join pg_class on pg_class.relname = c.table_name and pg_class.relnamespace = c.table_schema::regnamespace
    where c.table_schema = current_schema() and pg_class.relkind in ('r', 'p') and not pg_class.relispartition`.execute(
    db,
  )
  const tables: Tables = new Map()
  for (const { table, column, type, nullable, filled } of rows) {
    const columns = tables.get(table) ?? new Map<string, Column>()
    const name = Object.keys(CLASSES).find((candidate) => CLASSES[candidate]?.includes(type)) ?? type
    columns.set(column, `${name} ${nullable ? 'null' : 'not null'} ${filled}`)
    tables.set(table, columns)
  }
  return tables
}

const differences = (types: Tables, live: Tables): string[] =>
  [...new Set([...types.keys(), ...live.keys()])].flatMap((table) => {
    const [typed, real] = [types.get(table), live.get(table)]
    if (typed === undefined) return [`${table}: only in the database`]
    if (real === undefined) return [`${table}: only in the types`]
    return [...new Set([...typed.keys(), ...real.keys()])]
      .filter((column) => typed.get(column) !== real.get(column))
      .map((column) => `${table}.${column}: ${typed.get(column)} in the types, ${real.get(column)} in the database`)
  })

const source = await readFile(new URL('schema.ts', import.meta.url), 'utf8')

dbTest(
  'the types name every table and column of the database, with its nullability, class and default',
  async ({ database }) => {
    const live = await readLive(database)
    expect(live.size).toBeGreaterThan(15)
    expect(differences(readTypes(source), live)).toEqual([])
  },
)

dbTest('a column that only one side has, and each kind of disagreement, is named', async ({ database }) => {
  const live = await readLive(database)
  const changed = source
    .replace('  archived_at: Date | null\n', '')
    .replace("  role: 'owner' | 'operator' | 'viewer'\n", "  role: 'owner' | 'operator' | 'viewer' | null\n")
    .replace('  expires_at: Date\n', '  expires_at: string\n')
    .replace('  public_key: Buffer | null\n', '  public_key: Buffer | null\n  colour: string\n')
    .replace('  epoch: Default<number>\n', '  epoch: number\n')
    .replace('  node_targets: NodeTargets\n', '')
    .replace('  schema_migrations: SchemaMigrations\n', '  schema_migrations: SchemaMigrations\n  extra: NodeTargets\n')
  expect(differences(readTypes(changed), live).toSorted()).toEqual([
    'extra: only in the types',
    'node_targets: only in the database',
    'runtime_nodes.colour: string not null plain in the types, undefined in the database',
    'runtime_nodes.epoch: number not null plain in the types, number not null default in the database',
    'session_memberships.role: string null plain in the types, string not null plain in the database',
    'sessions.archived_at: undefined in the types, Date null plain in the database',
    'tokens.expires_at: string not null plain in the types, Date not null plain in the database',
  ])
})

dbTest('a partition is not taken for a table', async ({ database }) => {
  const before = await readLive(database)
  await sql`create table capture_chunks_20260101 partition of capture_chunks
    for values from ('2026-01-01') to ('2026-01-02')`.execute(database.db)
  expect((await readLive(database)).size).toBe(before.size)
})

test('a type that stands for no class of column is refused', () => {
  expect(() => readColumn('string | number')).toThrow(/cannot read the type/)
  expect(() => readColumn('Set<string>')).toThrow(/cannot read the type/)
})
