import type { AttachResult } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { startControlPlane } from '@sonde/testing'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { holdOpen, inOrder } from '../../test/barrier.ts'
import { attach, beat, detach, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { waitForLock } from '../../test/presence-support.ts'
import { act } from '../../test/scheduling-support.ts'
import { makePerson, makeSession, serverTest, type Answer } from '../../test/support.ts'

const test = serverTest
  .extend('second', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
    onCleanup(() => second[Symbol.asyncDispose]())
    return second
  })
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

describe('double attach', () => {
  test('to one session: both get the slot, one after the other, on two replicas', async ({
    database,
    server,
    second,
    owner,
    sessionId,
  }) => {
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await detach(caller, { nodeId })
    const fields = () => ({ sessionId, nodeId, instanceId: crypto.randomUUID() })
    const answers = await inOrder(database, nodeId, [
      () => tryAttach(caller, fields()),
      () => tryAttach({ url: second.url, owner }, fields()),
    ])
    expect(answers.map(({ data }) => (data as AttachResult).epoch)).toEqual([2, 3])
    expect(await slotsOf(database, nodeId)).toMatchObject([{ state: 'registering', epoch: 3 }])
  })

  test('of a node that another transaction is claiming waits for it, and succeeds whether that commits or not', async ({
    database,
    server,
    second,
    owner,
    sessionId,
  }) => {
    for (const end of ['commit', 'rollback'] as const) {
      const nodeId = newNodeId()
      await using claim = await holdOpen(database, (trx) =>
        trx.insertInto('runtime_nodes').values({ node_id: nodeId, owner_id: owner.participantId }).execute(),
      )
      const answers = [server, second].map(({ url }) => tryAttach({ url, owner }, { sessionId, nodeId }))
      await waitForLock(database, 2)
      await claim[end]()
      expect(codes(await Promise.all(answers))).toEqual(['200', '200'])
      expect(await slotsOf(database, nodeId)).toMatchObject([{ epoch: 2 }])
    }
  })

  test('to two sessions: when the first commits the second is a conflict, when it rolls back the second is admitted', async ({
    database,
    server,
    owner,
    sessionId,
  }) => {
    const elsewhere = await makeSession(database, owner)
    for (const end of ['commit', 'rollback'] as const) {
      const caller = { url: server.url, owner }
      const { nodeId } = await attach(caller, { sessionId })
      await detach(caller, { nodeId })
      await using first = await holdOpen(database, async (trx) => {
        await sql`select 1 from runtime_nodes where node_id = ${nodeId} for no key update`.execute(trx)
        await sql`update runtime_node_attachments set state = 'registering', ended_at = null
          where node_id = ${nodeId}`.execute(trx)
      })
      const pending = tryAttach(caller, { sessionId: elsewhere, nodeId })
      await waitForLock(database)
      await first[end]()
      expect(codes([await pending])).toEqual([end === 'commit' ? 'runtimenode.attach_conflict' : '200'])
      const states = (await slotsOf(database, nodeId)).map(({ session_id, state }) => [session_id, state])
      expect(states).toEqual(
        end === 'commit'
          ? [[sessionId, 'registering']]
          : [
              [sessionId, 'offline'],
              [elsewhere, 'registering'],
            ],
      )
    }
  })
})

test('attach against revoke: whichever is first, the node ends revoked', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  for (const revokeFirst of [true, false]) {
    const { nodeId } = await attach(caller, { sessionId })
    const calls = [
      () => act(owner, { url: server.url, sessionId, nodeId }, { procedure: 'revoke' }),
      () => tryAttach(caller, { sessionId, nodeId }),
    ]
    const answers = await inOrder(database, nodeId, revokeFirst ? calls : calls.toReversed())
    expect(codes(answers)).toEqual(revokeFirst ? ['200', 'runtimenode.attach_revoked'] : ['200', '200'])
    expect(await slotsOf(database, nodeId)).toMatchObject([{ state: 'revoked' }])
    expect(codes([await beat(caller, { nodeId })])).toEqual(['runtimenode.permission_denied'])
  }
})

test('attach against detach: the later one counts, unless the detach names the earlier incarnation', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  const outcome = async (order: (nodeId: string, epoch: number) => (() => Promise<Answer>)[]) => {
    const { nodeId, epoch } = await attach(caller, { sessionId })
    const answers = await inOrder(database, nodeId, order(nodeId, epoch))
    expect(codes(answers)).toEqual(['200', '200'])
    return (await slotsOf(database, nodeId)).map(({ state }) => state)
  }
  const again = (nodeId: string) => () => tryAttach(caller, { sessionId, nodeId })
  const leave = (nodeId: string, epoch?: number) => () => detach(caller, { nodeId, ...(epoch && { epoch }) })
  expect(await outcome((nodeId) => [leave(nodeId), again(nodeId)])).toEqual(['registering'])
  expect(await outcome((nodeId) => [again(nodeId), leave(nodeId)])).toEqual(['offline'])
  expect(await outcome((nodeId, epoch) => [again(nodeId), leave(nodeId, epoch)])).toEqual(['registering'])
})

test('update against detach: it is refused after it and stored before it', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  for (const updateFirst of [true, false]) {
    const { nodeId } = await attach(caller, { sessionId, capabilities: { from: 'attach' } })
    const calls = [() => update(caller, { nodeId, capabilities: { from: 'update' } }), () => detach(caller, { nodeId })]
    const answers = await inOrder(database, nodeId, updateFirst ? calls : calls.toReversed())
    expect(codes(answers)).toEqual(updateFirst ? ['200', '200'] : ['200', 'runtimenode.permission_denied'])
    expect(await slotsOf(database, nodeId)).toMatchObject([
      { state: 'offline', capabilities: { from: updateFirst ? 'update' : 'attach' } },
    ])
  }
})

test('a detach and an attach elsewhere that come before a waiting update of the first slot leave it nothing to hit', async ({
  database,
  server,
  owner,
  sessionId,
}) => {
  const caller = { url: server.url, owner }
  const elsewhere = await makeSession(database, owner)
  for (const named of ['attachmentId', 'epoch'] as const) {
    const first = await attach(caller, { sessionId })
    const { nodeId } = first
    const answers = await inOrder(database, nodeId, [
      () => detach(caller, { nodeId }),
      () => tryAttach(caller, { sessionId: elsewhere, nodeId, capabilities: { from: 'attach' } }),
      () => update(caller, { nodeId, [named]: first[named], capabilities: { from: 'update' } }),
      () => detach(caller, { nodeId, [named]: first[named] }),
    ])
    expect(codes(answers)).toEqual(['200', '200', 'runtimenode.fenced', '200'])
    expect(await slotsOf(database, nodeId)).toMatchObject([
      { session_id: sessionId, state: 'offline', capabilities: {} },
      { session_id: elsewhere, state: 'registering', capabilities: { from: 'attach' } },
    ])
  }
})
