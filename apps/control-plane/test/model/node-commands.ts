import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import * as node from '../node-support.ts'
import { sweepOnce } from '../presence-support.ts'
import { act } from '../scheduling-support.ts'
import { call, snapshot, type Answer } from '../support.ts'
import { check, checkStep, type Real } from './node-check.ts'
import * as expected from './node-model.ts'
import type { Model, Outcome, Where, Who } from './node-model.ts'

const NODE_TABLES = [
  'runtime_nodes',
  'runtime_node_attachments',
  'runtime_node_presence',
  'runtime_node_transitions',
] as const

const outcomeOf = ({ status, error, text }: Answer): string => {
  if (status === 200) return 'ok'
  return error?.code ?? text
}

type Snapshot = Awaited<ReturnType<typeof snapshot>>

/** A call with what the model says of it: the same outcome, and a refusal changes nothing (I-003-13). */
const compare = async (real: Real, want: Outcome, send: () => Promise<Answer>): Promise<Answer> => {
  const before: Snapshot = await snapshot(real.database, ...NODE_TABLES)
  const answer = await send()
  expect(outcomeOf(answer)).toBe(want)
  if (want !== 'ok') expect(await snapshot(real.database, ...NODE_TABLES)).toEqual(before)
  return answer
}

type Command = fc.AsyncCommand<Model, Real>

/** A step with the checks behind it. `run` answers the ids of nodes whose beat or attach was accepted. */
const step = (name: string, run: (model: Model, real: Real) => Promise<string[]>): Command => ({
  check: () => true,
  run: async (model, real) => {
    const before = structuredClone(model)
    const beaten = await run(model, real)
    checkStep(before, model, new Set(beaten))
    await check(model, real)
  },
  toString: () => name,
})

/** Which epoch a call carries, by the node's present one. */
const EPOCHS = { none: undefined, current: 0, old: -1, older: -2, ahead: 1 } as const
type EpochName = keyof typeof EPOCHS

const epochOf = (model: Model, id: string, name: EpochName): number | undefined => {
  const offset = EPOCHS[name]
  return offset === undefined ? undefined : Math.max(0, (model.nodes.get(id)?.epoch ?? 0) + offset)
}

const withEpoch = (epoch: number | undefined) => (epoch === undefined ? {} : { epoch })

const attachStep = async (model: Model, real: Real, args: Parameters<typeof expected.attach>[1]): Promise<string[]> => {
  const { who, id, where, instance, version, health } = args
  const want = expected.attach(model, args)
  await compare(real, want, () =>
    node.tryAttach(
      { url: real.url, owner: real.people[who] },
      {
        nodeId: id,
        sessionId: real.sessions[where],
        clientVersion: version,
        healthState: health,
        ...(instance !== null && { instanceId: real.instances[instance] }),
      },
    ),
  )
  return want === 'ok' ? [id] : []
}

const beatStep = async (
  model: Model,
  real: Real,
  args: { who: Who; id: string; epoch: EpochName; health: expected.Health },
): Promise<string[]> => {
  const { who, id, health } = args
  const epoch = epochOf(model, id, args.epoch)
  const want = expected.beat(model, { who, id, epoch, health })
  const caller = { url: real.url, owner: real.people[who] }
  const send = () => node.beat(caller, { nodeId: id, healthState: health, ...withEpoch(epoch) })
  const answer = await compare(real, want, send)
  const each = model.nodes.get(id)
  const where = expected.activeIn(each)
  const slot = where && each?.slots[where]
  if (want !== 'ok' || !slot) return []
  const readOnly = expected.isBelow(model, where, slot)
  expect(answer.data).toMatchObject({ state: slot.state, epoch: slot.epoch, liveness: health, readOnly })
  return [id]
}

/** Makes everything older by so many seconds: beats, the sweep's last run, and the moment from which ages count. */
const shift = async ({ database }: Real, seconds: number): Promise<void> => {
  const by = sql`${seconds} * interval '1 second'`
  await sql`update runtime_node_presence set last_heartbeat_at = last_heartbeat_at - ${by}`.execute(database.db)
  await sql`update service_state set last_run_at = last_run_at - ${by}, ready_at = ready_at - ${by}`.execute(
    database.db,
  )
}

const sweepStep = async (model: Model, real: Real): Promise<void> => {
  const before = new Map([...model.nodes].map(([id, { presence }]) => [id, presence.announced]))
  expected.sweep(model)
  const changed = [...model.nodes].flatMap(([nodeId, { presence }]) =>
    presence.announced === before.get(nodeId) ? [] : [{ nodeId, healthState: presence.announced }],
  )
  const slots = await snapshot(real.database, 'runtime_node_attachments', 'runtime_nodes')
  const { transitions } = await sweepOnce(real.database)
  expect(transitions.toSorted((x, y) => x.nodeId.localeCompare(y.nodeId))).toEqual(
    changed.toSorted((x, y) => x.nodeId.localeCompare(y.nodeId)),
  )
  expect(await snapshot(real.database, 'runtime_node_attachments', 'runtime_nodes')).toEqual(slots)
}

/** Every command, over a few nodes; people act on their own nodes more often than on others'. */
export const nodeCommands = (ids: readonly string[]): fc.Arbitrary<Command>[] => {
  const id = fc.constantFrom(...ids)
  const who = fc.constantFrom<Who>(...Array<Who>(8).fill('operator'), 'owner', 'stranger')
  const where = fc.constantFrom<Where>('a', 'a', 'a', 'b')
  const health = fc.constantFrom<expected.Health>('online', 'online', 'degraded')
  const epoch = fc.constantFrom<EpochName>('none', 'none', 'current', 'current', 'current', 'old', 'older', 'ahead')
  const version = fc.constantFrom('1.0', '2.0', '3.1', '3.1')
  const capabilities = fc.constantFrom<Record<string, unknown>>(
    {},
    { monitor: {} },
    { monitor: {} },
    { vitals: { s: 5 } },
  )
  const made = <Args>(name: string, args: fc.Arbitrary<Args>, run: (m: Model, r: Real, a: Args) => Promise<string[]>) =>
    args.map((each) => step(`${name}(${fc.stringify(each)})`, (model, real) => run(model, real, each)))
  const quiet = (work: Promise<unknown>) => work.then((): string[] => [])
  const callerOf = (real: Real, person: Who) => ({ url: real.url, owner: real.people[person] })
  const placeOf = (real: Real, at: { id: string; where: Where }) => ({
    url: real.url,
    nodeId: at.id,
    sessionId: real.sessions[at.where],
  })

  const commands = [
    made(
      'attach',
      fc.record({ who, id, where, instance: fc.option(fc.integer({ min: 0, max: 2 })), version, health }),
      attachStep,
    ),
    made('beat', fc.record({ who, id, epoch, health }), beatStep),
    made(
      'update',
      fc.record({ who, id, epoch, capabilities, health: fc.option(health, { nil: undefined }) }),
      (model, real, args) => {
        const at = epochOf(model, args.id, args.epoch)
        const want = expected.update(model, { ...args, epoch: at })
        const fields = { nodeId: args.id, capabilities: args.capabilities, ...withEpoch(at) }
        const changes = args.health && { healthChanges: { state: args.health } }
        return quiet(compare(real, want, () => node.update(callerOf(real, args.who), { ...fields, ...changes })))
      },
    ),
    made('detach', fc.record({ who, id, epoch }), (model, real, args) => {
      const at = epochOf(model, args.id, args.epoch)
      const want = expected.detach(model, { ...args, epoch: at })
      return quiet(
        compare(real, want, () => node.detach(callerOf(real, args.who), { nodeId: args.id, ...withEpoch(at) })),
      )
    }),
    made('revoke', fc.record({ who: fc.constantFrom<Who>('owner', 'operator'), id, where }), (model, real, args) => {
      const want = expected.revoke(model, args)
      return quiet(compare(real, want, () => act(real.people[args.who], placeOf(real, args), { procedure: 'revoke' })))
    }),
    made('cordon', fc.record({ who, id, where, on: fc.boolean() }), (model, real, args) => {
      const want = expected.cordon(model, args)
      const procedure = args.on ? 'cordon' : 'uncordon'
      return quiet(compare(real, want, () => act(real.people[args.who], placeOf(real, args), { procedure })))
    }),
    made('raiseFloor', fc.record({ where, floor: fc.constantFrom(1, 1, 2, 3) }), (model, real, args) => {
      const want = expected.raiseFloor(model, args)
      const input = { sessionId: real.sessions[args.where], minClientVersion: `${args.floor}.0` }
      return quiet(compare(real, want, () => call(real.url, real.people.owner.token, 'sessions.setFloor', input)))
    }),
    made('member', fc.record({ where, active: fc.constantFrom(true, true, false) }), async (model, real, args) => {
      if (model.members[args.where] === args.active) return []
      model.members[args.where] = args.active
      const { participantId } = real.people.operator
      const input = { sessionId: real.sessions[args.where], participantId, ...(args.active && { role: 'operator' }) }
      const procedure = args.active ? 'sessions.addMember' : 'sessions.removeMember'
      const before = await snapshot(real.database, ...NODE_TABLES)
      expect((await call(real.url, real.people.owner.token, procedure, input)).status).toBe(200)
      expect(await snapshot(real.database, ...NODE_TABLES), 'I-003-3').toEqual(before)
      return []
    }),
    // Sums of 11 and 25 stay more than a second away from 30 and 60.
    made('elapse', fc.constantFrom(11, 25, 25), async (model, real, seconds) => {
      await shift(real, seconds)
      expected.elapse(model, seconds)
      await sweepStep(model, real)
      return []
    }),
    made('sweep', fc.constant(0), (model, real) => quiet(sweepStep(model, real))),
    made('pause', fc.constantFrom(45, 120), async (model, real, seconds) => {
      await shift(real, seconds)
      expected.elapse(model, seconds)
      await check(model, real)
      await sweepStep(model, real)
      return []
    }),
    made('clone', fc.record({ id, where, version }), async (model, real, args) => {
      const beaten: string[] = []
      for (const instance of [1, 2]) {
        beaten.push(...(await attachStep(model, real, { ...args, who: 'operator', instance, health: 'online' })))
        beaten.push(...(await beatStep(model, real, { id: args.id, who: 'operator', epoch: 'old', health: 'online' })))
      }
      return beaten
    }),
    made('join', fc.record({ id, where, version }), async (model, real, args) => {
      const beaten = await attachStep(model, real, { ...args, who: 'operator', instance: null, health: 'online' })
      for (const change of [undefined, 'online'] as const) {
        const fields = { who: 'operator', id: args.id, capabilities: { monitor: {} } } as const
        const want = expected.update(model, { ...fields, epoch: undefined, health: change })
        const changes = change && { healthChanges: { state: change } }
        await compare(real, want, () => node.update(callerOf(real, 'operator'), { nodeId: args.id, ...changes }))
      }
      return beaten
    }),
  ]
  const [attachIt, beatIt, updateIt] = commands
  // Equal parts would revoke, refuse and end more than they let live.
  return [
    ...commands,
    ...[attachIt, beatIt, beatIt, beatIt, updateIt, updateIt, updateIt].filter((each) => each !== undefined),
  ]
}
