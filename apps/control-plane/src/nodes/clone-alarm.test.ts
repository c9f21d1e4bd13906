import { startControlPlane } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, tryAttach } from '../../test/node-support.ts'
import { shownTo } from '../../test/scheduling-support.ts'
import { makePerson, makeSession, query, serverTest } from '../../test/support.ts'

const alarms = (logs: readonly Record<string, unknown>[], nodeId: string) =>
  logs.filter((line) => line['msg'] === 'two daemons share one node id' && line['nodeId'] === nodeId)

serverTest(
  'more than three displacements a minute raise one alarm that names both hosts, over two replicas',
  async ({ database, databaseUrl, server }) => {
    await using second = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const { nodeId } = await attach({ url: server.url, owner }, { sessionId, host: 'db-1' })
    const place = { url: server.url, sessionId, nodeId }
    const displace = async (times: number) => {
      for (let turn = 0; turn < times; turn += 1) {
        const even = turn % 2 === 0
        const fields = { sessionId, nodeId, instanceId: crypto.randomUUID(), host: even ? 'db-2' : 'db-1' }
        await tryAttach({ url: even ? second.url : server.url, owner }, fields)
      }
    }
    await displace(3)
    expect((await shownTo(owner, place)).cloneAlarm).toBeNull()
    await displace(4)
    const { cloneAlarm, host, transitions } = await shownTo(owner, place)
    expect(cloneAlarm).toEqual({ hosts: ['db-1', 'db-2'], at: expect.any(String) })
    expect(host).toBe('db-1')
    expect(transitions.filter(({ cause }) => cause === 'clone_alarm')).toHaveLength(1)
    const roster = await query(server.url, owner.token, 'runtimeNode.roster', { sessionId })
    expect(roster.data).toMatchObject({ nodes: [{ nodeId, cloneAlarm }] })

    const told = () => [...alarms(server.logs, nodeId), ...alarms(second.logs, nodeId)]
    await expect.poll(told).toMatchObject([{ level: 50, hosts: ['db-1', 'db-2'] }])
    const metricOf = async (url: string) => {
      const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${owner.token}` } })
      return Number(/^node_clone_alarms_total (\d+)$/m.exec(await response.text())?.[1])
    }
    expect((await metricOf(server.url)) + (await metricOf(second.url))).toBe(1)

    await sql`update runtime_node_transitions set at = at - interval '11 minutes' where node_id = ${nodeId}`.execute(
      database.db,
    )
    expect((await shownTo(owner, place)).cloneAlarm).toBeNull()
    await displace(3)
    expect((await shownTo(owner, place)).cloneAlarm).toBeNull()
  },
)

serverTest('restarts, replays and clean reconnects raise no alarm', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const instanceId = crypto.randomUUID()
  const { nodeId } = await attach(caller, { sessionId, instanceId, host: 'db-1' })
  for (let turn = 0; turn < 6; turn += 1) {
    await attach(caller, { sessionId, nodeId, instanceId, host: 'db-1' })
    await detach(caller, { nodeId })
    await attach(caller, { sessionId, nodeId, instanceId, host: 'db-1' })
  }
  const shown = await shownTo(owner, { url: server.url, sessionId, nodeId })
  expect(shown.cloneAlarm).toBeNull()
  expect(shown.transitions.some(({ cause }) => cause === 'displace')).toBe(false)
})

serverTest(
  'without a host the alarm is raised all the same, and the hosts are what is known',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    for (let turn = 0; turn < 4; turn += 1) await attach(caller, { sessionId, nodeId })
    const { cloneAlarm } = await shownTo(owner, { url: server.url, sessionId, nodeId })
    expect(cloneAlarm?.hosts).toEqual([])
    for (const host of ['', 'a\nb', 'x'.repeat(254), 7]) {
      expect((await tryAttach(caller, { sessionId, nodeId, host })).status).toBe(400)
    }
    expect((await tryAttach(caller, { sessionId, nodeId, host: 'x'.repeat(253) })).status).toBe(200)
    expect((await beat(caller, { nodeId })).status).toBe(200)
  },
)
