import type { Database } from '@sonde/database'
import { startControlPlane } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { makePerson, makeSession, serverTest } from '../../test/support.ts'

/** Deadlocks that Postgres has resolved in this database; a retry hides them from callers. */
const deadlocks = async ({ db }: Database): Promise<number> => {
  await sql`select pg_stat_clear_snapshot()`.execute(db)
  const { rows } = await sql<{ n: number }>`
    select deadlocks::int as n from pg_stat_database where datname = current_database()`.execute(db)
  return rows[0]?.n ?? -1
}

serverTest(
  '32 clients on two replicas that attach the same nodes for 10 s see no false conflict and cause no deadlock',
  async ({ database, databaseUrl, server }) => {
    await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const before = await deadlocks(database)
    const outcomes = new Map<string, number>()
    const calls = new Map<string, number>()
    const until = performance.now() + 10_000
    /** Eight nodes at a time, replaced twice a second, so that the first attach of a node is in the race as well. */
    let generation: string[] = []
    let freshAt = 0
    const pick = (): string => {
      if (performance.now() >= freshAt) {
        generation = Array.from({ length: 8 }, newNodeId)
        freshAt = performance.now() + 500
      }
      return generation[Math.floor(Math.random() * generation.length)] ?? ''
    }
    const client = async (at: number): Promise<void> => {
      while (performance.now() < until) {
        const nodeId = pick()
        calls.set(nodeId, (calls.get(nodeId) ?? 0) + 1)
        const caller = { url: at % 2 === 0 ? server.url : second.url, owner }
        const { status, error } = await tryAttach(caller, { sessionId, nodeId, instanceId: crypto.randomUUID() })
        const outcome = error?.code ?? String(status)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 32 }, (_, at) => client(at)))
    const total = [...calls.values()].reduce((sum, each) => sum + each, 0)
    expect([...outcomes]).toEqual([['200', total]])
    expect(total).toBeGreaterThan(500)
    const { rows } = await sql<{ nodeId: string; epoch: number }>`
      select n.node_id as "nodeId", n.epoch from runtime_nodes n
      join runtime_node_attachments a on a.node_id = n.node_id and a.epoch = n.epoch and a.state = 'registering'
      join runtime_node_presence p on p.node_id = n.node_id and p.epoch = n.epoch and p.attachment_id = a.id`.execute(
      database.db,
    )
    expect(new Map(rows.map(({ nodeId, epoch }) => [nodeId, epoch]))).toEqual(calls)
    expect(await deadlocks(database)).toBe(before)
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
