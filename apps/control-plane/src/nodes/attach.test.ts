import type { AttachResult } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
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
