import { readFileSync } from 'node:fs'
import type { OpsChunks, OpsCommands, OpsTransitions } from '@sonde/contracts'
import { databaseErrorOf, openDatabase } from '@sonde/database'
import { dbTest } from '@sonde/testing/db-test'
import { sql, type Kysely, type Transaction } from 'kysely'
import { expect } from 'vitest'
import { chunkOf, lineAt, seedCapture, seedWorkspace, startDataLane, upload } from '../../test/capture-fixture.ts'
import { query } from '../../test/support.ts'
import { readTransitions } from './store.ts'

const page = readFileSync(new URL('../../../../docs/operator-queries.md', import.meta.url), 'utf8')

const NO_PRIVILEGE = '42501'
const READ_ONLY = '25006'
const MINUTE_US = 60_000_000
const T0 = 1_795_500_000_000_000

interface Column {
  view: string
  column: string
  comment: string | null
}

const columnsOf = async (db: Kysely<never>): Promise<Column[]> => {
  const { rows } = await sql<Column>`
    select c.relname as view, a.attname as "column", col_description(c.oid, a.attnum) as comment
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where n.nspname = 'sonde_ops' and c.relkind = 'v' and a.attnum > 0
    order by c.relname, a.attnum`.execute(db)
  return rows
}

/** Runs as the reader of the views, and undoes it. */
const asReader = async (db: Kysely<never>, work: (trx: Transaction<never>) => Promise<unknown>): Promise<unknown> =>
  db.transaction().execute(async (trx) => {
    await sql`set local role sonde_ops_reader`.execute(trx)
    return work(trx)
  })

const refusalOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => databaseErrorOf(error)?.code,
  )

dbTest('every column of every view says what it is, in the database and in the documentation', async ({ database }) => {
  const columns = await columnsOf(database.db as unknown as Kysely<never>)
  expect(new Set(columns.map(({ view }) => view)).size).toBe(7)
  for (const { view, column, comment } of columns) {
    expect(comment, `${view}.${column}`).toMatch(/^\S.*\.$/)
    expect(page).toContain(`| \`${column}\` | ${comment} |`)
    expect(page).toContain(`### \`sonde_ops.${view}\``)
  }
})

dbTest('the reader of the views reads those, and nothing else', async ({ database }) => {
  const db = database.db as unknown as Kysely<never>
  for (const { view } of await columnsOf(db)) {
    await asReader(db, (trx) => sql`select * from ${sql.table(`sonde_ops.${view}`)} limit 1`.execute(trx))
  }
  for (const table of ['tokens', 'capture_chunks', 'capture_summaries', 'captures', 'participants', 'sign_in_codes']) {
    expect(await refusalOf(asReader(db, (trx) => sql`select 1 from ${sql.table(table)}`.execute(trx)))).toBe(
      NO_PRIVILEGE,
    )
  }
  const write = sql`update sonde_ops.transitions set reason = 'x'`
  expect(await refusalOf(asReader(db, (trx) => write.execute(trx)))).toBe(NO_PRIVILEGE)
})

dbTest('chunks, lines by minute and transitions are what was committed, page by page', async ({ database }) => {
  const { db } = database
  await using lane = await startDataLane(database.url)
  const work = await seedWorkspace(db)
  const captureId = await seedCapture(db, work, 1)
  const early = Array.from({ length: 5 }, (_, index) => lineAt(T0 + index, `early${index}`))
  const late = Array.from({ length: 3 }, (_, index) => lineAt(T0 + 2 * MINUTE_US + index, `late${index}`))
  const chunks = await Promise.all([early, late].map((lines, seq) => chunkOf({ captureId, segmentNo: 0, seq }, lines)))
  await upload(lane.url, work.nodeToken, chunks)
  const ask = async <T>(path: string, input: object): Promise<T> =>
    (await query(lane.url, work.personToken, path, input)).data as T

  const first = await ask<OpsChunks>('ops.chunks', { id: captureId, limit: 1 })
  const second = await ask<OpsChunks>('ops.chunks', { id: captureId, limit: 1, after: { segmentNo: 0, seq: 0 } })
  expect([...first.chunks, ...second.chunks]).toMatchObject([
    { seq: 0, lineCount: 5, nodeId: work.nodeId, firstEventAt: new Date(T0 / 1000).toISOString() },
    { seq: 1, lineCount: 3, origin: 'live' },
  ])
  const { minutes, isWhole } = await ask<OpsCommands>('ops.commands', { id: captureId })
  expect(isWhole).toBe(true)
  expect(minutes.map(({ lineCount }) => lineCount)).toEqual([5, 3])
  expect(Date.parse(minutes[1]!.minute) - Date.parse(minutes[0]!.minute)).toBe(120_000)

  const { sessionId, nodeId } = work
  for (const to of ['registering', 'online', 'offline']) {
    await sql`insert into runtime_node_transitions (node_id, session_id, axis, to_state, cause)
      values (${nodeId}, ${sessionId}, 'slot', ${to}, 'attach')`.execute(db)
  }
  const newest = (await ask<OpsTransitions>('ops.transitions', { sessionId, limit: 2 })).transitions
  expect(newest.map(({ to }) => to)).toEqual(['offline', 'online'])
  const rest = await ask<OpsTransitions>('ops.transitions', { sessionId, before: newest[1]!.id })
  expect(rest.transitions.map(({ to }) => to)).toEqual(['registering'])
})

dbTest('the connections of these queries can write nothing', async ({ database }) => {
  await using reads = openDatabase({ url: database.url, readOnly: true })
  const everything = {
    sessionId: '01a21152-ebc2-7000-abbe-b6326cfa3952',
    nodeId: undefined,
    before: undefined,
    limit: 1,
  }
  expect(await readTransitions(reads.db, everything)).toEqual({ transitions: [] })
  expect(await refusalOf(sql`delete from runtime_node_transitions`.execute(reads.db))).toBe(READ_ONLY)
})
