import type { Worker } from 'node:worker_threads'
import { createClient } from '@sonde/client'
import type { CommandResult, DeliveredCommand } from '@sonde/contracts'
import { ManualClock, poll } from '@sonde/testing'
import { expect } from 'vitest'
import { nodeTest, openedBy, rosterOf, startNode, synthetic, type Db } from '../test/support.ts'

/** Longer than the control plane of these tests waits until a silent node is offline (3 s). */
const STALL_MS = 4_500

/** Nothing of this thread runs for so long. */
const stall = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS)
}

/** The liveness that was announced of a node, in order. */
const livenessOf = async (db: Db, nodeId: string): Promise<string[]> => {
  const rows = db.selectFrom('runtime_node_transitions').select('to_state').where('node_id', '=', nodeId)
  return (await rows.where('axis', '=', 'liveness').orderBy('id').execute()).map((row) => row.to_state)
}

/** Beats that the control plane has taken so far, of any node. */
const beatsTaken = async (url: string, token: string): Promise<number> => {
  const response = await fetch(new URL('/metrics', url), { headers: { authorization: `Bearer ${token}` } })
  return Number(/^heartbeats_total\{outcome="accepted"\} (\d+)/m.exec(await response.text())?.[1] ?? Number.NaN)
}

/** The thread that the next worker lane gets. */
const nextWorker = (): Promise<Worker> => new Promise((resolve) => process.once('worker', resolve))

nodeTest(
  'while the main thread is busy beats go on and commands wait, and it is told how long that was',
  async ({ plane, session, database }) => {
    const ran: DeliveredCommand[] = []
    const logged: object[] = []
    await using started = startNode({
      url: plane.url,
      token: session.nodeToken,
      onCommand: (command): Promise<CommandResult> => {
        ran.push(command)
        return Promise.resolve(command.body.kind === 'segment.open' ? openedBy(command) : { kind: 'running' })
      },
      log: { info: () => undefined, warn: (fields) => logged.push(fields) },
    })
    const { targetIds } = await started.node.declareTargets({ targets: [synthetic] })
    await started.heard('online')
    await started.heard('credit', 2)
    const before = await beatsTaken(plane.url, session.ownerToken)
    // A command that is delivered during the stall: its row is there before, its delivery takes another process.
    const scope = { kind: 'targets' as const, targetIds }
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    const start = owner.rpc.captures.start
      .mutate({ sessionId: session.sessionId, scope, durationMs: 60_000 })
      .catch(() => 'too late')
    await poll(() => database.db.selectFrom('node_commands').select('id').executeTakeFirst(), {
      what: 'the command',
      everyMs: 1,
    })
    const alreadyRan = ran.length

    stall()

    const taken = (await beatsTaken(plane.url, session.ownerToken)) - before
    expect(taken).toBeGreaterThan(STALL_MS / 200 / 2)
    const { stalledMs } = await started.heard('mainLoopStalled')
    expect(stalledMs).toBeGreaterThan(STALL_MS - 1_100)
    expect(stalledMs).toBeLessThan(STALL_MS + 2_000)
    await poll(() => ran.length > alreadyRan, { what: 'a command after the stall' })
    await start
    expect(logged).toContainEqual({ code: 'main_loop_stalled', stalledMs })
    expect(logged.filter((fields) => 'code' in fields && fields.code === 'main_loop_stalled')).toHaveLength(1)
    expect(await livenessOf(database.db, started.nodeId)).toEqual(['online'])
    expect(started.events.attached).toHaveLength(1)
  },
)

nodeTest('an inline lane, for comparison, falls silent with its thread', async ({ plane, session, database }) => {
  await using started = startNode({ url: plane.url, token: session.nodeToken, lane: 'inline' })
  await started.heard('credit')
  stall()
  await poll(async () => (await livenessOf(database.db, started.nodeId)).at(-1) === 'online', { what: 'the return' })
  expect(await livenessOf(database.db, started.nodeId)).toEqual(['online', 'degraded', 'offline', 'online'])
})

nodeTest(
  'a lane whose thread dies is replaced in the same epoch, and no command runs twice',
  async ({ plane, session }) => {
    const ran: DeliveredCommand[] = []
    const opening = Promise.withResolvers<CommandResult>()
    const born = nextWorker()
    await using started = startNode({
      url: plane.url,
      token: session.nodeToken,
      onCommand: (command) => {
        ran.push(command)
        return command.body.kind === 'segment.open' ? opening.promise : Promise.resolve({ kind: 'running' })
      },
    })
    const { targetIds } = await started.node.declareTargets({ targets: [synthetic] })
    const { epoch } = await started.heard('online')
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    const scope = { kind: 'targets' as const, targetIds }
    const start = owner.rpc.captures.start.mutate({ sessionId: session.sessionId, scope, durationMs: 60_000 })
    await poll(() => ran.length === 1, { what: 'the open' })

    await (await born).terminate()
    await started.heard('laneFailed')
    await expect(started.node.report([])).rejects.toMatchObject({ code: 'control_plane.unreachable' })
    opening.resolve(openedBy(ran[0]!))

    expect(await started.heard('online', 2)).toEqual({ epoch })
    expect((await start).capture.segments.map((segment) => segment.status)).toEqual(['running'])
    expect(ran.map((command) => command.body.kind)).toEqual(['segment.open', 'segment.begin'])
    expect(started.events.attached).toHaveLength(1)
    expect(started.events.targetsDeclared.map((each) => each.targetIds)).toEqual([targetIds, targetIds])
    await started.node.stop({ reason: 'done' })
    expect(await rosterOf(plane.url, session, started.nodeId)).toMatchObject({ state: 'offline', epoch })
  },
)

nodeTest('a lane that takes over does not displace a newer process that came meanwhile', async ({ plane, session }) => {
  const born = nextWorker()
  // Moves nothing but the wait before the restart: the lane has a clock of its own.
  const clock = new ManualClock()
  await using older = startNode({ url: plane.url, token: session.nodeToken, clock, random: () => 0.5 })
  await older.heard('online')
  await (await born).terminate()
  expect(await older.heard('laneFailed')).toMatchObject({ restartInMs: 125 })
  await using newer = startNode({ url: plane.url, token: session.nodeToken, nodeId: older.nodeId })
  const { epoch } = await newer.heard('online')
  clock.advance(125)
  expect(await older.heard('fenced')).toEqual({ epoch: epoch - 1 })
  await newer.heard('credit', newer.events.credit.length + 2)
  expect(newer.events.fenced).toEqual([])
  expect(await rosterOf(plane.url, session, older.nodeId)).toMatchObject({ state: 'online', epoch })
})

nodeTest(
  'a node that says it is degraded is shown so, with its reason, until it says otherwise',
  async ({ plane, session, database }) => {
    await using started = startNode({ url: plane.url, token: session.nodeToken })
    const { epoch } = await started.heard('online')
    const until = (state: 'online' | 'degraded') =>
      poll(
        async () => {
          const row = await rosterOf(plane.url, session, started.nodeId)
          return row?.state === state && row.liveness === state && row
        },
        { what: `health ${state}` },
      )
    const words = 'the disk of the spool is full'
    started.node.setHealth('degraded', `${words}\0${'.'.repeat(600)}`)
    expect(await until('degraded')).toMatchObject({ schedulable: false })
    const reasons = database.db.selectFrom('runtime_node_transitions').select('reason').where('axis', '=', 'slot')
    expect(await reasons.where('to_state', '=', 'degraded').execute()).toEqual([{ reason: words.padEnd(512, '.') }])
    // A new attachment says the same.
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    await owner.rpc.runtimeNode.detach.mutate({ nodeId: started.nodeId })
    expect(await started.heard('online', 2)).toEqual({ epoch: epoch + 1 })
    await until('degraded')
    started.node.setHealth('online')
    expect(await until('online')).toMatchObject({ schedulable: true, epoch: epoch + 1 })
  },
)
