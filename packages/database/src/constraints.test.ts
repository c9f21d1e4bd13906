import { newId } from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import { sql, type Insertable } from 'kysely'
import { expect } from 'vitest'
import type { Database } from './open.ts'
import type { RuntimeNodeAttachments, RuntimeNodePresence } from './schema.ts'
import { databaseErrorOf } from './transaction.ts'

const CHECK = '23514'
const FOREIGN_KEY = '23503'
const UNIQUE = '23505'

/** A participant, two sessions and a node: what an attachment needs. */
const seed = async ({ db }: Database) => {
  const [participant, session, other] = [newId(), newId(), newId()]
  const node = `node-${newId()}`
  await db.insertInto('participants').values({ id: participant, name: 'Ada' }).execute()
  for (const id of [session, other]) {
    await db.insertInto('sessions').values({ id, name: 'A session', created_by: participant }).execute()
  }
  await db.insertInto('runtime_nodes').values({ node_id: node, owner_id: participant }).execute()
  const attachment = (
    values: Partial<Insertable<RuntimeNodeAttachments>> = {},
  ): Insertable<RuntimeNodeAttachments> => ({
    session_id: session,
    participant_id: participant,
    node_id: node,
    epoch: 1,
    client_version: '1.0',
    ...values,
  })
  const attach = (values: Partial<Insertable<RuntimeNodeAttachments>> = {}): Promise<unknown> =>
    db.insertInto('runtime_node_attachments').values(attachment(values)).execute()
  const beat = (values: Partial<Insertable<RuntimeNodePresence>> = {}): Promise<unknown> =>
    db
      .insertInto('runtime_node_presence')
      .values({
        node_id: node,
        attachment_id: newId(),
        epoch: 1,
        last_heartbeat_at: new Date(0),
        reported_health: 'online',
        ...values,
      })
      .execute()
  return { db, participant, session, other, node, attach, beat }
}

const refusal = async (work: Promise<unknown>): Promise<[code: string, constraint: string | undefined] | 'accepted'> =>
  work.then(
    () => 'accepted' as const,
    (error: unknown) => {
      const found = databaseErrorOf(error)
      if (found === undefined) throw error
      return [found.code, found.constraint] as [string, string | undefined]
    },
  )

/** The exact sets of every text CHECK of the node tables, whatever the words around them. */
const SETS: Record<string, readonly string[]> = {
  'runtime_node_attachments.state': ['registering', 'online', 'degraded', 'offline', 'revoked'],
  'runtime_node_presence.reported_health': ['online', 'degraded'],
  'runtime_node_presence.health_state': ['online', 'degraded', 'offline'],
  'runtime_node_attachments.on_deadline': ['stop', 'wait'],
  'runtime_node_transitions.axis': ['slot', 'liveness', 'scheduling'],
  'runtime_node_transitions.cause': [
    'attach',
    'displace',
    'clone_alarm',
    'capability_update',
    'detach',
    'remove',
    'revoke',
    'reaper',
    'heartbeat',
    'sweep',
    'cordon',
    'uncordon',
    'drain',
  ],
  'session_memberships.role': ['owner', 'operator', 'viewer'],
  'session_memberships.state': ['pending', 'active', 'suspended', 'revoked'],
  'sessions.state': ['provisioning', 'active', 'archived', 'closed', 'purge_requested', 'purged'],
  'tokens.kind': ['person', 'node'],
}

for (const [place, accepted] of Object.entries(SETS)) {
  dbTest(`${place} accepts exactly its ${accepted.length} values`, async ({ database }) => {
    const [table = '', column = ''] = place.split('.')
    const { rows } = await sql<{ definition: string }>`
      select pg_get_expr(conbin, conrelid) as definition from pg_constraint
      where conrelid = ${table}::regclass and contype = 'c'
        and conkey = array[(select attnum from pg_attribute where attrelid = ${table}::regclass and attname = ${column})]`.execute(
      database.db,
    )
    expect(rows).toHaveLength(1)
    const candidates = [...new Set([...Object.values(SETS).flat(), '', 'ONLINE', ' online', 'unknown'])]
    const verdicts = await Promise.all(
      candidates.map(async (value) => {
        const probe = sql<{ ok: boolean }>`
          select (${sql.raw(rows[0]?.definition ?? '')}) as ok from (select ${value}::text as ${sql.id(column)}) t`
        return (await probe.execute(database.db)).rows[0]?.ok ? [value] : []
      }),
    )
    expect(verdicts.flat().toSorted()).toEqual([...accepted].toSorted())
  })
}

dbTest('a value outside of its set is refused by the column itself', async ({ database }) => {
  const { attach, beat, node } = await seed(database)
  await attach()
  await beat()
  const set = (table: string, column: string, value: string): Promise<unknown> =>
    sql`update ${sql.id(table)} set ${sql.id(column)} = ${value} where node_id = ${node}`.execute(database.db)
  expect(await refusal(set('runtime_node_attachments', 'state', 'asleep'))).toEqual([
    CHECK,
    'runtime_node_attachments_state_check',
  ])
  expect(await refusal(set('runtime_node_presence', 'health_state', 'asleep'))).toEqual([
    CHECK,
    'runtime_node_presence_health_state_check',
  ])
  expect(await refusal(set('runtime_node_presence', 'reported_health', 'offline'))).toEqual([
    CHECK,
    'runtime_node_presence_reported_health_check',
  ])
})

dbTest('online without a declaration is refused, with one it is accepted', async ({ database }) => {
  const { attach } = await seed(database)
  expect(await refusal(attach({ state: 'online' }))).toEqual([CHECK, 'runtime_node_attachments_online_declared_check'])
  expect(await refusal(attach({ state: 'online', declared_at: new Date(0) }))).toBe('accepted')
})

dbTest('capabilities are an object, and versions and node ids keep their form', async ({ database }) => {
  const { attach, db, participant } = await seed(database)
  for (const capabilities of ['[]', '"text"', 'null', '1']) {
    expect(await refusal(attach({ capabilities }))).toEqual([CHECK, 'runtime_node_attachments_capabilities_check'])
  }
  for (const client_version of ['1', '1.2.3', 'v1.2', '01.2', '1.02', '1.2 ', '1.2\n', '1.1234567890', '']) {
    expect(await refusal(attach({ client_version }))).toEqual([CHECK, 'runtime_node_attachments_client_version_check'])
  }
  for (const node_id of ['', 'x'.repeat(257), 'a\nb', 'a\u007fb']) {
    const insert = db.insertInto('runtime_nodes').values({ node_id, owner_id: participant }).execute()
    expect(await refusal(insert)).toEqual([CHECK, 'runtime_nodes_node_id_check'])
  }
})

dbTest('the version is split into its numbers, in every table that has one', async ({ database }) => {
  const { attach, db, node, session } = await seed(database)
  await attach({ client_version: '12.345' })
  await db.updateTable('sessions').set({ min_client_version: '7.0' }).where('id', '=', session).execute()
  const attached = db.selectFrom('runtime_node_attachments').select(['client_major', 'client_minor'])
  expect(await attached.where('node_id', '=', node).execute()).toEqual([{ client_major: 12, client_minor: 345 }])
  const floors = db.selectFrom('sessions').select(['floor_major', 'floor_minor'])
  expect(await floors.where('id', '=', session).execute()).toEqual([{ floor_major: 7, floor_minor: 0 }])
})

const STATES = ['registering', 'online', 'degraded', 'offline', 'revoked'] as const

dbTest('of all pairs of slot states exactly the impossible ones are refused', async ({ database }) => {
  const refused: string[] = []
  for (const from of STATES) {
    for (const to of STATES) {
      const { attach, db, node } = await seed(database)
      await attach({ state: from, declared_at: new Date(0) })
      const change = db.updateTable('runtime_node_attachments').set({ state: to }).where('node_id', '=', node).execute()
      const outcome = await refusal(change)
      if (outcome === 'accepted') continue
      expect(outcome).toEqual([CHECK, 'runtime_node_attachments_transition_check'])
      refused.push(`${from} ${to}`)
    }
  }
  expect(refused).toEqual([
    'offline online',
    'offline degraded',
    'revoked registering',
    'revoked online',
    'revoked degraded',
    'revoked offline',
  ])
})

dbTest('one node may be attached to two sessions, and only once to each', async ({ database }) => {
  const { attach, session, other } = await seed(database)
  expect(await refusal(attach({ session_id: session, state: 'offline' }))).toBe('accepted')
  expect(await refusal(attach({ session_id: other, state: 'offline' }))).toBe('accepted')
  expect(await refusal(attach({ session_id: other, state: 'offline' }))).toEqual([UNIQUE, 'idx_node_attachments_node'])
})

for (const state of ['registering', 'online', 'degraded'] as const) {
  dbTest(`a node that is online in one session cannot be ${state} in another`, async ({ database }) => {
    const { attach, session, other } = await seed(database)
    const declared_at = new Date(0)
    await attach({ session_id: session, state: 'online', declared_at })
    const second = attach({ session_id: other, state, declared_at })
    expect(await refusal(second)).toEqual([UNIQUE, 'idx_node_attachments_active'])
  })
}

for (const state of ['offline', 'revoked'] as const) {
  dbTest(`a node that is online in one session can be ${state} in another`, async ({ database }) => {
    const { attach, session, other } = await seed(database)
    await attach({ session_id: session, state: 'online', declared_at: new Date(0) })
    expect(await refusal(attach({ session_id: other, state }))).toBe('accepted')
  })
}

dbTest('every foreign key of the node tables refuses what does not exist', async ({ database }) => {
  const { attach, beat, db, node, session } = await seed(database)
  const nobody = newId()
  const orphan = db.insertInto('runtime_nodes').values({ node_id: `node-${nobody}`, owner_id: nobody })
  const transition = (values: { node_id: string; session_id: string }) =>
    db
      .insertInto('runtime_node_transitions')
      .values({ ...values, axis: 'slot', to_state: 'registering', cause: 'attach' })
      .execute()
  const refusals = await Promise.all([
    refusal(orphan.execute()),
    refusal(attach({ session_id: nobody })),
    refusal(attach({ participant_id: nobody })),
    refusal(attach({ node_id: nobody })),
    refusal(beat({ node_id: nobody })),
    refusal(transition({ node_id: nobody, session_id: session })),
    refusal(transition({ node_id: node, session_id: nobody })),
  ])
  expect(refusals).toEqual([
    [FOREIGN_KEY, 'runtime_nodes_owner_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_attachments_session_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_attachments_participant_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_attachments_node_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_presence_node_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_transitions_node_id_fkey'],
    [FOREIGN_KEY, 'runtime_node_transitions_session_id_fkey'],
  ])
})

dbTest('a node has one presence row', async ({ database }) => {
  const { beat } = await seed(database)
  await beat()
  expect(await refusal(beat())).toEqual([UNIQUE, 'runtime_node_presence_pkey'])
})

dbTest('presence has no index but its primary key, and room for HOT updates', async ({ database }) => {
  const indexes = await sql<{ name: string }>`
    select indexrelid::regclass::text as name from pg_index
    where indrelid = 'runtime_node_presence'::regclass`.execute(database.db)
  expect(indexes.rows).toEqual([{ name: 'runtime_node_presence_pkey' }])
  const options = await sql<{ options: string[] }>`
    select reloptions as options from pg_class where oid = 'runtime_node_presence'::regclass`.execute(database.db)
  expect(options.rows).toEqual([{ options: ['fillfactor=60'] }])
})
