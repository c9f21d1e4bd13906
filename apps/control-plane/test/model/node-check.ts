import type { Roster } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { expect } from 'vitest'
import { query, snapshot, type Person } from '../support.ts'
import * as expected from './node-model.ts'
import type { Model, Where, Who } from './node-model.ts'

/** The registry under test: a control plane, its database, two sessions and three people. */
export interface Real {
  url: string
  database: Database
  people: Record<Who, Person>
  sessions: Record<Where, string>
  instances: string[]
}

const WHERE: Where[] = ['a', 'b']

/** Every fact of the registry against the model, then the invariants on the facts alone. */
export const check = async (model: Model, real: Real): Promise<void> => {
  const { database, sessions, people, instances } = real
  const whereOf = (sessionId: string) => (sessionId === sessions.a ? 'a' : 'b')
  const whoOf = (id: string) => (Object.keys(people) as Who[]).find((who) => people[who].participantId === id)
  const [nodes, slots, presences, members] = await Promise.all([
    database.db.selectFrom('runtime_nodes').selectAll().execute(),
    database.db.selectFrom('runtime_node_attachments').selectAll().execute(),
    database.db.selectFrom('runtime_node_presence').selectAll().execute(),
    snapshot(database, 'session_memberships'),
  ])
  const facts = nodes.map(({ node_id, owner_id, epoch }) => {
    const own = slots.filter((slot) => slot.node_id === node_id)
    const presence = presences.find((row) => row.node_id === node_id)
    const at = own.find((slot) => slot.id === presence?.attachment_id)
    return [
      node_id,
      {
        owner: whoOf(owner_id),
        epoch,
        slots: Object.fromEntries(
          own.map((slot) => [
            whereOf(slot.session_id),
            {
              state: slot.state,
              epoch: slot.epoch,
              instance: slot.instance_id === null ? null : instances.indexOf(slot.instance_id),
              declared: slot.declared_at !== null,
              capabilities: slot.capabilities,
              revision: slot.capabilities_revision,
              version: slot.client_version,
              cordoned: slot.cordoned_at !== null,
            },
          ]),
        ),
        presence: presence && {
          session: at && whereOf(at.session_id),
          epoch: presence.epoch,
          reported: presence.reported_health,
          announced: presence.health_state,
        },
      },
    ] as const
  })
  const wanted = [...model.nodes].map(([id, { presence, ...rest }]) => {
    const { age: _age, ...shown } = presence
    return [id, { ...rest, presence: shown }] as const
  })
  expect(new Map(facts)).toEqual(new Map(wanted))

  // I-003-2, I-003-5: by the rows alone, whatever the model says.
  const active = slots.filter(({ state }) => state === 'registering' || state === 'online' || state === 'degraded')
  expect(new Set(active.map(({ node_id }) => node_id)).size, 'I-003-5').toBe(active.length)
  expect(
    slots.filter(({ state, declared_at }) => state === 'online' && declared_at === null),
    'I-003-2',
  ).toEqual([])
  // I-003-3: only the membership calls of the model change memberships.
  const inactive = members['session_memberships']?.filter((row) => !row.includes('"state": "active"')).length
  expect(inactive, 'I-003-3').toBe(WHERE.filter((where) => !model.members[where]).length)

  for (const where of WHERE) {
    const input = { sessionId: sessions[where], includeEnded: true }
    const answer = await query(real.url, people.owner.token, 'runtimeNode.roster', input)
    const seen = (answer.data as Roster).nodes.map((row) => [
      row.nodeId,
      {
        state: row.state,
        liveness: row.liveness,
        healthState: row.healthState,
        readOnly: row.readOnly,
        access: row.access,
      },
    ])
    const want = [...model.nodes].flatMap(([id, each]) => {
      const slot = each.slots[where]
      if (!slot) return []
      const isIn = each.owner === 'owner' || model.members[where]
      const row = {
        state: slot.state,
        liveness: expected.livenessOf(model, each, where),
        healthState: each.presence.session === where ? each.presence.announced : null,
        readOnly: expected.isBelow(model, where, slot),
        access: isIn ? 'ok' : 'owner_inactive',
      }
      return [[id, row] as const]
    })
    expect(Object.fromEntries(seen), 'I-003-10').toEqual(Object.fromEntries(want))
  }
}

/** What must hold between any two moments: revoked stays, owners stay, epochs never fall, and who was offline has beaten. */
export const checkStep = (before: Model, after: Model, beaten: ReadonlySet<string>): void => {
  for (const [id, was] of before.nodes) {
    const is = after.nodes.get(id)
    expect(is?.owner, 'I-003-8').toBe(was.owner)
    expect(is?.epoch ?? 0, 'I-003-14').toBeGreaterThanOrEqual(was.epoch)
    for (const where of WHERE) {
      if (was.slots[where]?.state === 'revoked') expect(is?.slots[where]?.state, 'I-003-7').toBe('revoked')
    }
    if (was.presence.announced === 'offline' && !beaten.has(id)) {
      expect(is?.presence.announced, 'I-003-15').toBe('offline')
    }
  }
}
