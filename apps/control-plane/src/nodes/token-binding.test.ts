import { expect } from 'vitest'
import { attach, beat, detach, newNodeId, tryAttach } from '../../test/node-support.ts'
import { makeNodeToken, makePerson, makeSession, serverTest, snapshot } from '../../test/support.ts'

serverTest(
  'the first attach with a token makes it that node’s: any other node is refused, and told whose it is',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const token = await makeNodeToken(database, owner, sessionId)
    const caller = { url: server.url, owner, token }
    const other = await attach({ url: server.url, owner }, { sessionId })
    const before = await snapshot(database, 'tokens')
    expect((await beat(caller, { nodeId: other.nodeId })).error).toMatchObject({
      code: 'auth.token_bound',
      details: { nodeId: null },
    })
    expect(await snapshot(database, 'tokens')).toEqual(before)

    const { nodeId, epoch } = await attach(caller, { sessionId })
    expect((await beat(caller, { nodeId, epoch })).status).toBe(200)
    const nodes = await snapshot(database, 'runtime_nodes', 'runtime_node_attachments')
    for (const refused of [
      await tryAttach(caller, { sessionId, nodeId: newNodeId() }),
      await tryAttach(caller, { sessionId, nodeId: other.nodeId }),
      await beat(caller, { nodeId: other.nodeId }),
      await detach(caller, { nodeId: other.nodeId }),
    ]) {
      expect(refused).toMatchObject({ status: 403, error: { code: 'auth.token_bound', details: { nodeId } } })
      expect(refused.error?.message).toContain(nodeId)
    }
    expect(await snapshot(database, 'runtime_nodes', 'runtime_node_attachments')).toEqual(nodes)
    expect((await tryAttach(caller, { sessionId, nodeId })).status).toBe(200)
    // A person goes on acting for all nodes of their own.
    expect((await detach({ url: server.url, owner }, { nodeId })).status).toBe(200)
  },
)

serverTest('a refused attach leaves its token free for another node', async ({ database, server }) => {
  const owner = await makePerson(database)
  const [sessionId, elsewhere] = [await makeSession(database, owner), await makeSession(database, owner)]
  const busy = await attach({ url: server.url, owner }, { sessionId: elsewhere })
  const token = await makeNodeToken(database, owner, sessionId)
  const caller = { url: server.url, owner, token }
  const refused = await tryAttach(caller, { sessionId, nodeId: busy.nodeId })
  expect(refused.error?.code).toBe('runtimenode.attach_conflict')
  await attach(caller, { sessionId })
})

serverTest('of nodes that attach with one token at once exactly one has it', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  for (let round = 0; round < 5; round += 1) {
    const caller = { url: server.url, owner, token: await makeNodeToken(database, owner, sessionId) }
    const nodeIds = Array.from({ length: 8 }, newNodeId)
    const answers = await Promise.all(nodeIds.map((nodeId) => tryAttach(caller, { sessionId, nodeId })))
    const winners = nodeIds.filter((_, at) => answers[at]?.status === 200)
    expect(winners).toHaveLength(1)
    const losers = answers.filter(({ status }) => status !== 200)
    expect(losers.map(({ error }) => [error?.code, error?.details])).toEqual(
      losers.map(() => ['auth.token_bound', { nodeId: winners[0] }]),
    )
    const known = await database.db
      .selectFrom('runtime_nodes')
      .select('node_id')
      .where('node_id', 'in', nodeIds)
      .execute()
    expect(known.map(({ node_id }) => node_id)).toEqual(winners)
  }
})
