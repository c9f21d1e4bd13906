import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { holdOpen } from '../../test/barrier.ts'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update, verdictOf } from '../../test/node-support.ts'
import { announcedOf, waitForLock } from '../../test/presence-support.ts'
import { act } from '../../test/scheduling-support.ts'
import { addMember, call, makePerson, makeSession, serverTest, type Answer } from '../../test/support.ts'

const test = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))

const slotsOf = ({ db }: Database, nodeId: string) =>
  db
    .selectFrom('runtime_node_attachments')
    .select(['session_id', 'state', 'epoch', 'capabilities'])
    .where('node_id', '=', nodeId)
    .orderBy('attached_at')
    .execute()

const codes = (answers: Answer[]): string[] => answers.map(({ status, error }) => error?.code ?? String(status))

test('floor raise against update: the update waits for it, and is judged by what it has become', async ({
  database,
  server,
  owner,
}) => {
  const caller = { url: server.url, owner }
  for (const end of ['commit', 'rollback'] as const) {
    const sessionId = await makeSession(database, owner)
    const { nodeId } = await attach(caller, { sessionId, clientVersion: '1.0' })
    await using raise = await holdOpen(database, (trx) =>
      trx.updateTable('sessions').set({ min_client_version: '2.0' }).where('id', '=', sessionId).execute(),
    )
    const pending = update(caller, { nodeId })
    await waitForLock(database)
    await raise[end]()
    expect(codes([await pending])).toEqual([end === 'commit' ? 'version.floor_exceeded' : '200'])
  }
})

test('update against floor raise: the raise waits for the update, which is then admitted', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId, clientVersion: '1.0' })
  // Stops the update at its last lock, when it holds those before.
  await using barrier = await holdOpen(database, (trx) =>
    sql`select 1 from runtime_node_attachments where node_id = ${nodeId} for update`.execute(trx),
  )
  const updating = update(caller, { nodeId })
  await waitForLock(database)
  const raising = call(server.url, owner.token, 'sessions.setFloor', { sessionId, minClientVersion: '2.0' })
  await waitForLock(database, 2)
  await barrier.commit()
  expect(codes([await updating, await raising])).toEqual(['200', '200'])
  expect(verdictOf(await beat(caller, { nodeId })).readOnly).toBe(true)
  expect(codes([await update(caller, { nodeId })])).toEqual(['version.floor_exceeded'])
})

test('membership revoke against attach: the attach waits, and is refused or admitted by what became of it', async ({
  database,
  server,
  owner,
}) => {
  for (const end of ['commit', 'rollback'] as const) {
    const operator = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: operator, role: 'operator' })
    const nodeId = newNodeId()
    await using revoke = await holdOpen(database, (trx) =>
      trx
        .updateTable('session_memberships')
        .set({ state: 'revoked' })
        .where('participant_id', '=', operator.participantId)
        .execute(),
    )
    const pending = tryAttach({ url: server.url, owner: operator }, { sessionId, nodeId })
    await waitForLock(database)
    await revoke[end]()
    expect(codes([await pending])).toEqual([end === 'commit' ? 'runtimenode.permission_denied' : '200'])
    expect(await slotsOf(database, nodeId)).toHaveLength(end === 'commit' ? 0 : 1)
  }
})

test('attach against membership revoke: the revoke waits for the attach, which stays, and whose beats are then refused', async ({
  database,
  server,
  owner,
}) => {
  const operator = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  const caller = { url: server.url, owner: operator }
  const { nodeId } = await attach(caller, { sessionId })
  await using barrier = await holdOpen(database, (trx) =>
    sql`select 1 from runtime_node_attachments where node_id = ${nodeId} for update`.execute(trx),
  )
  const attaching = tryAttach(caller, { sessionId, nodeId })
  await waitForLock(database)
  const { participantId } = operator
  const removing = call(server.url, owner.token, 'sessions.removeMember', { sessionId, participantId })
  await waitForLock(database, 2)
  await barrier.commit()
  expect(codes([await attaching, await removing])).toEqual(['200', '200'])
  expect(await slotsOf(database, nodeId)).toMatchObject([{ state: 'registering', epoch: 2 }])
  expect(codes([await beat(caller, { nodeId })])).toEqual(['runtimenode.permission_denied'])
})

test('heartbeat against sweep: a beat that meets a verdict being written takes it back', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId })
  await goOnline(caller, nodeId)
  await using sweeping = await holdOpen(database, async (trx) => {
    await sql`update runtime_node_presence set health_state = 'offline' where node_id = ${nodeId}`.execute(trx)
    await sql`insert into runtime_node_transitions (node_id, session_id, axis, from_state, to_state, cause)
      values (${nodeId}, ${sessionId}, 'liveness', 'online', 'offline', 'sweep')`.execute(trx)
  })
  const pending = beat(caller, { nodeId })
  await waitForLock(database)
  await sweeping.commit()
  expect(verdictOf(await pending)).toMatchObject({ state: 'online', liveness: 'online' })
  const told = await database.db
    .selectFrom('runtime_node_transitions')
    .select(['from_state', 'to_state', 'cause'])
    .where('node_id', '=', nodeId)
    .where('axis', '=', 'liveness')
    .orderBy('id', 'desc')
    .limit(2)
    .execute()
  expect(told).toEqual([
    { from_state: 'offline', to_state: 'online', cause: 'heartbeat' },
    { from_state: 'online', to_state: 'offline', cause: 'sweep' },
  ])
})

test('heartbeat against detach, revoke and displacement: a beat that waits for one of them is refused after it', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  const ends = {
    'runtimenode.permission_denied': ['detach', 'revoke'],
    'runtimenode.fenced': ['attach'],
  } as const
  for (const [code, procedures] of Object.entries(ends)) {
    for (const procedure of procedures) {
      const { nodeId, epoch } = await attach(caller, { sessionId })
      // The change has locked presence, its last lock, and waits for the end of this transaction to commit.
      await using barrier = await holdOpen(database, (trx) =>
        sql`select 1 from runtime_node_presence where node_id = ${nodeId} for update`.execute(trx),
      )
      const changing =
        procedure === 'detach'
          ? detach(caller, { nodeId })
          : procedure === 'attach'
            ? tryAttach(caller, { sessionId, nodeId })
            : act(owner, { url: server.url, sessionId, nodeId }, { procedure })
      await waitForLock(database)
      const beating = beat(caller, { nodeId, epoch })
      await waitForLock(database, 2)
      await barrier.commit()
      expect((await changing).status, procedure).toBe(200)
      expect(codes([await beating]), procedure).toEqual([code])
      expect(await announcedOf(database.db, nodeId)).toBe(procedure === 'attach' ? 'online' : 'offline')
    }
  }
})
