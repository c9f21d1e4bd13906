import type { SchedulingResult } from '@sonde/contracts'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, detach, goOnline, newNodeId, verdictOf } from '../../test/node-support.ts'
import { act, drainOf, shownTo } from '../../test/scheduling-support.ts'
import { addMember, makePerson, makeSession, serverTest, snapshot, withoutRequestId } from '../../test/support.ts'

serverTest(
  'a cordon blocks new work only, stays over detach and attach, and is lifted by uncordon; both are idempotent',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    const place = { url: server.url, sessionId, nodeId }
    const first = (await act(owner, place, { procedure: 'cordon', reason: 'disk is slow' })).data as SchedulingResult
    expect(first).toMatchObject({ nodeId, cordonedAt: expect.any(String), drain: null })
    expect((await act(owner, place, { procedure: 'cordon' })).data).toEqual(first)
    expect(await shownTo(owner, place)).toMatchObject({
      state: 'online',
      liveness: 'online',
      cordonedAt: first.cordonedAt,
      schedulable: false,
      blockers: ['cordoned'],
    })
    expect(verdictOf(await beat(caller, { nodeId }))).not.toHaveProperty('drain')
    await detach(caller, { nodeId })
    await attach(caller, { sessionId, nodeId })
    await goOnline(caller, nodeId)
    expect(await shownTo(owner, place)).toMatchObject({ cordonedAt: first.cordonedAt, blockers: ['cordoned'] })

    expect((await act(owner, place, { procedure: 'uncordon' })).data).toMatchObject({ cordonedAt: null })
    expect((await act(owner, place, { procedure: 'uncordon' })).data).toMatchObject({ cordonedAt: null })
    const shown = await shownTo(owner, place)
    expect(shown).toMatchObject({ schedulable: true, blockers: [] })
    const marks = shown.transitions.filter(({ axis }) => axis === 'scheduling')
    expect(marks).toMatchObject([
      { from: 'cordoned', to: 'open', cause: 'uncordon', reason: null },
      { from: 'open', to: 'cordoned', cause: 'cordon', reason: 'disk is slow' },
    ])
  },
)

serverTest(
  'a drain is told with every beat, in every incarnation, and is over with the slot',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    await goOnline(caller, nodeId)
    const place = { url: server.url, sessionId, nodeId }
    const request = drainOf()
    const answer = (await act(owner, place, request)).data as SchedulingResult
    expect(answer.drain).toEqual({
      requestedAt: expect.any(String),
      deadline: request.deadline,
      onDeadline: 'stop',
      mode: 'finish',
    })
    expect((await act(owner, place, request)).data).toEqual(answer)
    expect(await shownTo(owner, place)).toMatchObject({ drain: answer.drain, blockers: ['cordoned', 'draining'] })
    expect(verdictOf(await beat(caller, { nodeId })).drain).toBe('finish')
    await attach(caller, { sessionId, nodeId })
    expect(verdictOf(await beat(caller, { nodeId })).drain).toBe('finish')

    await detach(caller, { nodeId })
    expect(await shownTo(owner, place)).toMatchObject({ state: 'offline', drain: null, cordonedAt: answer.cordonedAt })
    expect((await act(owner, place, request)).data).toMatchObject({ drain: null, cordonedAt: answer.cordonedAt })
    await attach(caller, { sessionId, nodeId })
    expect(verdictOf(await beat(caller, { nodeId }))).not.toHaveProperty('drain')
  },
)

serverTest(
  'at the deadline a drain that is to stop is told to stop, one that is to wait goes on, and uncordon calls it off',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const told: Record<string, unknown> = {}
    for (const onDeadline of ['stop', 'wait']) {
      const { nodeId } = await attach(caller, { sessionId })
      const place = { url: server.url, sessionId, nodeId }
      await act(owner, place, drainOf({ onDeadline }))
      expect(verdictOf(await beat(caller, { nodeId })).drain).toBe('finish')
      await sql`update runtime_node_attachments set drain_deadline = now() where node_id = ${nodeId}`.execute(
        database.db,
      )
      told[onDeadline] = verdictOf(await beat(caller, { nodeId })).drain
      expect((await shownTo(owner, place)).drain?.mode).toBe(told[onDeadline])
      await act(owner, place, { procedure: 'uncordon' })
      expect(verdictOf(await beat(caller, { nodeId }))).not.toHaveProperty('drain')
    }
    expect(told).toEqual({ stop: 'stop', wait: 'finish' })
  },
)

serverTest(
  "only the node's owner, with a role that may attach, cordons, drains and removes; the refusals are one",
  async ({ database, server }) => {
    const [owner, operator, viewer, stranger] = [
      await makePerson(database),
      await makePerson(database),
      await makePerson(database),
      await makePerson(database),
    ]
    const sessionId = await makeSession(database, owner)
    await addMember(database, sessionId, { person: operator, role: 'operator' })
    await addMember(database, sessionId, { person: viewer, role: 'viewer' })
    const { nodeId } = await attach({ url: server.url, owner: operator }, { sessionId })
    const place = { url: server.url, sessionId, nodeId }
    const calls = [{ procedure: 'cordon' }, { procedure: 'uncordon' }, drainOf(), { procedure: 'remove' }] as const
    const before = await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')
    const refusals = new Set<string>()
    for (const each of calls) {
      const answers = [
        await act(owner, place, each),
        await act(viewer, place, each),
        await act(stranger, place, each),
        await act(operator, { ...place, nodeId: newNodeId() }, each),
        await act(operator, { ...place, sessionId: await makeSession(database, operator) }, each),
      ]
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 403, error: { code: 'runtimenode.permission_denied' } })
        refusals.add(withoutRequestId(answer).replace(/runtimeNode\.\w+/, ''))
      }
    }
    expect(refusals.size).toBe(1)
    await database.db
      .updateTable('session_memberships')
      .set({ state: 'suspended' })
      .where('participant_id', '=', operator.participantId)
      .execute()
    for (const each of calls) expect((await act(operator, place, each)).status).toBe(403)
    expect(await snapshot(database, 'runtime_node_attachments', 'runtime_node_transitions')).toEqual(before)
  },
)

serverTest('marks that contradict each other are refused by the database', async ({ database, server }) => {
  const owner = await makePerson(database)
  const { nodeId } = await attach({ url: server.url, owner }, { sessionId: await makeSession(database, owner) })
  const wrong = [
    { drain_requested_at: new Date() },
    { drain_requested_at: new Date(), drain_deadline: new Date(), on_deadline: 'stop' },
    { cordoned_at: new Date(), on_deadline: 'wait' },
  ] as const
  for (const marks of wrong) {
    const forced = database.db.updateTable('runtime_node_attachments').set(marks).where('node_id', '=', nodeId)
    await expect(forced.execute()).rejects.toMatchObject({ constraint: 'runtime_node_attachments_drain_check' })
  }
})
