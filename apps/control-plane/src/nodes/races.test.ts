import { startControlPlane } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { makePerson, makeSession, serverTest } from '../../test/support.ts'

serverTest(
  '32 clients that attach the same nodes to one session see no false conflict',
  async ({ database, databaseUrl, server }) => {
    await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const outcomes = new Map<number, number>()
    const nodes: string[] = []
    for (let round = 0; round < 10; round += 1) {
      const pair = [newNodeId(), newNodeId()]
      nodes.push(...pair)
      const answers = await Promise.all(
        Array.from({ length: 32 }, (_, client) =>
          tryAttach(
            { url: client % 4 < 2 ? server.url : second.url, owner },
            { sessionId, nodeId: pair[client % 2] ?? '', instanceId: crypto.randomUUID() },
          ),
        ),
      )
      for (const { status } of answers) outcomes.set(status, (outcomes.get(status) ?? 0) + 1)
    }
    expect([...outcomes]).toEqual([[200, 320]])
    const { rows } = await sql<{ epoch: number; slots: number }>`
    select n.epoch, count(a.id)::int as slots from runtime_nodes n join runtime_node_attachments a using (node_id)
    where n.node_id = any(${nodes}) and a.epoch = n.epoch group by 1`.execute(database.db)
    expect(rows).toEqual([{ epoch: 16, slots: 20 }])
  },
)

serverTest('of two sessions that a node is attached to at once exactly one gets it', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessions = [await makeSession(database, owner), await makeSession(database, owner)]
  for (let round = 0; round < 15; round += 1) {
    const nodeId = newNodeId()
    const answers = await Promise.all(
      sessions.map((sessionId) => tryAttach({ url: server.url, owner }, { sessionId, nodeId })),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
    expect(answers.find(({ status }) => status === 409)?.error?.code).toBe('runtimenode.attach_conflict')
  }
})

serverTest(
  'a claim of a new node id by two owners at once has one winner, whose id it stays',
  async ({ database, server }) => {
    const owners = [await makePerson(database), await makePerson(database)]
    const sessions = await Promise.all(owners.map((owner) => makeSession(database, owner)))
    for (let round = 0; round < 15; round += 1) {
      const nodeId = newNodeId()
      const answers = await Promise.all(
        owners.map((owner, at) => tryAttach({ url: server.url, owner }, { sessionId: sessions[at] ?? '', nodeId })),
      )
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 403])
    }
  },
)

serverTest(
  'attach, update, beat and detach of one node at once end in one consistent slot without a server error',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, at) => {
        if (at % 4 === 0) return tryAttach(caller, { sessionId, nodeId })
        if (at % 4 === 1) return update(caller, { nodeId })
        return at % 4 === 2 ? beat(caller, { nodeId }) : detach(caller, { nodeId })
      }),
    )
    expect(answers.filter(({ status }) => status >= 500 || status === 409)).toEqual([])
    const { rows } = await sql<{ active: boolean; announced: string; same: boolean }>`
    select a.state <> 'offline' as active, p.health_state as announced, p.attachment_id = a.id and p.epoch = a.epoch as same
    from runtime_node_attachments a join runtime_node_presence p using (node_id) where a.node_id = ${nodeId}`.execute(
      database.db,
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.same).toBe(true)
    expect(rows[0]?.announced).toBe(rows[0]?.active ? 'online' : 'offline')
  },
)

serverTest('a detach that was delayed does not hit the attachment in another session', async ({ database, server }) => {
  const owner = await makePerson(database)
  const [a, b] = [await makeSession(database, owner), await makeSession(database, owner)]
  const caller = { url: server.url, owner }
  const first = await attach(caller, { sessionId: a })
  const { nodeId } = first
  await detach(caller, { nodeId })
  const second = await attach(caller, { sessionId: b, nodeId })
  expect((await detach(caller, { nodeId, attachmentId: first.attachmentId })).data).toBeNull()
  expect((await detach(caller, { nodeId, epoch: first.epoch })).data).toBeNull()
  expect((await update(caller, { nodeId, attachmentId: first.attachmentId })).error?.code).toBe('runtimenode.fenced')
  expect((await beat(caller, { nodeId, epoch: second.epoch })).status).toBe(200)
})
