import type { AttachResult } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { waitForLock } from '../../test/presence-support.ts'
import { makePerson, makeSession, serverTest, snapshot } from '../../test/support.ts'

const attachmentsOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('runtime_node_attachments').selectAll().where('node_id', '=', nodeId).execute()

serverTest(
  'a replay of an attach changes nothing, and another incarnation fences the first',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { ...server, owner }
    const instanceId = crypto.randomUUID()
    const first = await attach(caller, { sessionId, instanceId })
    const { nodeId } = first
    await goOnline(caller, nodeId)
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_transitions')
    const replay = (await tryAttach(caller, { sessionId, nodeId, instanceId: instanceId.toUpperCase() }))
      .data as AttachResult
    expect(replay).toMatchObject({ state: 'online', epoch: first.epoch, attachmentId: first.attachmentId })
    expect(await snapshot(database, 'runtime_node_attachments', 'runtime_nodes', 'runtime_node_transitions')).toEqual(
      before,
    )

    const second = await attach(caller, { sessionId, nodeId })
    expect(second).toMatchObject({ state: 'registering', epoch: first.epoch + 1, attachmentId: first.attachmentId })
    expect(await attachmentsOf(database, nodeId)).toMatchObject([{ declared_at: null, instance_id: null }])
    expect((await beat(caller, { nodeId, epoch: first.epoch })).error?.code).toBe('runtimenode.fenced')
    expect((await update(caller, { nodeId, epoch: first.epoch })).error?.code).toBe('runtimenode.fenced')
    expect((await detach(caller, { nodeId, epoch: first.epoch })).data).toBeNull()
    expect(await attachmentsOf(database, nodeId)).toMatchObject([{ state: 'registering' }])
  },
)

serverTest(
  'malformed stored floors fail closed, and an archived session takes no node',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const archived = await makeSession(database, owner, { state: 'archived' })
    const nodeId = newNodeId()
    expect((await tryAttach({ ...server, owner }, { sessionId: archived, nodeId })).error).toMatchObject({
      code: 'session.not_active',
      details: { sessionId: archived },
    })
    await sql`alter table sessions drop constraint sessions_min_client_version_check`.execute(database.db)
    const tables = ['runtime_nodes', 'runtime_node_attachments', 'runtime_node_presence'] as const
    const before = await snapshot(database, ...tables)
    for (const floor of ['1', '1.0.0']) {
      const sessionId = await makeSession(database, owner, { floor })
      const answer = await tryAttach({ ...server, owner }, { sessionId, nodeId, clientVersion: '9.0' })
      expect(answer.status).toBe(500)
      expect(answer.error).toMatchObject({ code: 'version.floor_invalid', details: { sessionId } })
    }
    expect(await snapshot(database, ...tables)).toEqual(before)
  },
)

serverTest(
  'a violation of the active index runs the attach once more, and another one is not translated',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await sql`create sequence attempts`.execute(database.db)
    await sql`create table planted (failures int, name text)`.execute(database.db)
    await sql`create function plant() returns trigger language plpgsql as $$
      declare p planted;
      begin
        select * into p from planted;
        if nextval('attempts') <= p.failures then raise unique_violation using constraint = p.name; end if;
        return new;
      end $$`.execute(database.db)
    await sql`create trigger plant before insert on runtime_node_attachments for each row execute function plant()`.execute(
      database.db,
    )
    const attempt = async (failures: number, name: string) => {
      await sql`truncate planted`.execute(database.db)
      await sql`insert into planted values (${failures}, ${name})`.execute(database.db)
      await sql`alter sequence attempts restart`.execute(database.db)
      return tryAttach({ url: server.url, owner }, { sessionId, nodeId: newNodeId() })
    }
    expect((await attempt(1, 'idx_node_attachments_active')).status).toBe(200)
    expect((await attempt(2, 'idx_node_attachments_active')).error?.code).toBe('runtimenode.attach_conflict')
    expect((await attempt(1, 'some_other_index')).error?.code).toBe('internal.unexpected')
    await sql`drop trigger plant on runtime_node_attachments`.execute(database.db)
  },
)

serverTest('every change of a node waits for its row first', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId })
  const changes = [
    () => tryAttach(caller, { sessionId, nodeId }),
    () => update(caller, { nodeId }),
    () => detach(caller, { nodeId }),
  ]
  for (const change of changes) {
    const answering = await database.db.transaction().execute(async (trx) => {
      await sql`select 1 from runtime_nodes where node_id = ${nodeId} for no key update`.execute(trx)
      const pending = change()
      await waitForLock(database)
      const { rows } = await sql<{ query: string }>`
        select query from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
        database.db,
      )
      expect(rows.map(({ query }) => query)).toEqual([
        expect.stringMatching(/^select .* from "runtime_nodes" .* for no key update$/),
      ])
      return { pending }
    })
    expect((await answering.pending).status).toBe(200)
  }
})
