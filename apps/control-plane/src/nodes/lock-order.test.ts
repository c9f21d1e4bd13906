import { dbTest } from '@sonde/testing/db-test'
import { PostgresQueryCompiler, type KyselyPlugin } from 'kysely'
import { expect } from 'vitest'
import { startDataLane } from '../../test/capture-fixture.ts'
import { attach, beat, detach, goOnline, newNodeId, tryAttach, update } from '../../test/node-support.ts'
import { act, drainOf } from '../../test/scheduling-support.ts'
import { makeNodeToken, makePerson, makeSession, type Answer } from '../../test/support.ts'

/** The order of I-003-6. */
const ORDER = [
  'runtime_nodes',
  'sessions',
  'session_memberships',
  'runtime_node_attachments',
  'tokens',
  'runtime_node_presence',
  'runtime_node_transitions',
]

/** Writes down the statements that pass through a Kysely, as text. */
const statementLog = (): { plugin: KyselyPlugin; statements: string[] } => {
  const statements: string[] = []
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      statements.push(new PostgresQueryCompiler().compileQuery(node, queryId).sql)
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { plugin, statements }
}

/** `table mode` of a statement that takes row locks: the mode in its own words, or `write`. */
const lockOf = (statement: string): string[] => {
  const written = /^(?:insert into|update) "(\w+)"/.exec(statement)
  if (written) return [`${written[1]} write`]
  const read = /^select .*? from "(\w+)".* for (no key update|update|share|key share)/.exec(statement)
  return read ? [`${read[1]} ${read[2]}`] : []
}

dbTest(
  'every node-keyed change takes its row locks in the one order, and in the recorded modes',
  async ({ databaseUrl, database }) => {
    const { plugin, statements } = statementLog()
    await using lane = await startDataLane(databaseUrl, database.db.withPlugin(plugin))
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: lane.url, owner }
    const locksOf = async (work: () => Promise<Answer>): Promise<string[]> => {
      statements.length = 0
      const { status, text } = await work()
      expect(status, text).toBe(200)
      return [...new Set(statements.flatMap(lockOf))]
    }
    const nodeId = newNodeId()
    const token = await makeNodeToken(database, owner, sessionId)
    const place = { url: lane.url, sessionId, nodeId }
    const locks = {
      'first attach': await locksOf(() => tryAttach(caller, { sessionId, nodeId })),
      attach: await locksOf(() => tryAttach(caller, { sessionId, nodeId })),
      update: await locksOf(() => update(caller, { nodeId, healthChanges: { state: 'degraded' } })),
      cordon: await locksOf(() => act(owner, place, { procedure: 'cordon' })),
      drain: await locksOf(() => act(owner, place, drainOf())),
      remove: await locksOf(() => act(owner, place, { procedure: 'remove' })),
      'attach with a token of its own': await locksOf(() => tryAttach({ ...caller, token }, { sessionId, nodeId })),
      'attach again': await locksOf(() => tryAttach(caller, { sessionId, nodeId })),
      detach: await locksOf(() => detach(caller, { nodeId })),
      revoke: await locksOf(() => act(owner, place, { procedure: 'revoke' })),
    }
    for (const [call, taken] of Object.entries(locks)) {
      const tables = taken.map((lock) => ORDER.indexOf(lock.split(' ')[0] ?? ''))
      // The epoch is written under the node's lock, which is held by then.
      const firsts = [...new Set(tables)]
      expect(firsts, `${call}: ${taken.join(', ')}`).toEqual(firsts.toSorted((a, b) => a - b))
      expect(taken[0], call).toBe('runtime_nodes no key update')
    }
    const shared = ['sessions share', 'session_memberships share', 'runtime_node_attachments no key update']
    expect(locks.update.slice(1, 4)).toEqual(shared)
    expect(locks.revoke.slice(1, 4)).toEqual(shared)
    expect(locks.attach.slice(1, 4)).toEqual(shared)
    for (const call of ['attach with a token of its own', 'revoke'] as const)
      expect(locks[call][4]).toBe('tokens write')
    expect(locks.drain.slice(1, 3)).toEqual(['sessions no key update', 'session_memberships share'])
    expect(locks.detach.slice(1, 3)).toEqual([
      'runtime_node_attachments no key update',
      'runtime_node_attachments write',
    ])
  },
)

dbTest('a heartbeat is one statement without an explicit lock', async ({ databaseUrl, database }) => {
  const { plugin, statements } = statementLog()
  await using lane = await startDataLane(databaseUrl, database.db.withPlugin(plugin))
  const owner = await makePerson(database)
  const caller = { url: lane.url, owner }
  const { nodeId } = await attach(caller, { sessionId: await makeSession(database, owner) })
  await goOnline(caller, nodeId)
  await beat(caller, { nodeId })
  statements.length = 0
  expect((await beat(caller, { nodeId })).status).toBe(200)
  const own = statements.filter((statement) => !/from "tokens"/.test(statement))
  expect(own).toHaveLength(1)
  expect(own[0]).not.toMatch(/for (no key update|update|share)/)
})
