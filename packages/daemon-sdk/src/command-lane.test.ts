import { createHash } from 'node:crypto'
import { createClient } from '@sonde/client'
import { newId, SondeError, type CommandResult, type DeliveredCommand, type NodeCommandBody } from '@sonde/contracts'
import { poll, startControlPlane, startFaultProxy } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { ENV, makeSession, nodeTest, openedBy, startNode, synthetic, type Db, type Started } from '../test/support.ts'

const counters = {
  received: 0,
  recorded: 0,
  filtered: 0,
  sampledOut: 0,
  ownTraffic: 0,
  malformed: 0,
  cut: 0,
  dropped: 0,
  recordedBytes: 0,
}
const emptyManifest = { chunks: 0, lines: 0, bytes: 0, root: createHash('sha256').digest('hex') }

const answerOf = (command: DeliveredCommand): CommandResult => {
  const { body } = command
  if (body.kind === 'segment.open') return openedBy(command)
  return { kind: body.kind === 'segment.begin' ? 'running' : 'acknowledged' }
}

/** Notes the commands that ran, and holds each kind until it is let go. */
const recorder = () => {
  const ran: DeliveredCommand[] = []
  const gates = new Map<NodeCommandBody['kind'], Promise<void>>()
  return {
    ran,
    get kinds() {
      return ran.map((command) => command.body.kind)
    },
    /** From now on commands of this kind wait; the returned function lets them go. */
    hold: (kind: NodeCommandBody['kind']) => {
      const gate = Promise.withResolvers<void>()
      gates.set(kind, gate.promise)
      return () => gate.resolve()
    },
    onCommand: async (command: DeliveredCommand): Promise<CommandResult> => {
      ran.push(command)
      await gates.get(command.body.kind)
      return answerOf(command)
    },
  }
}

/** An online node with one target, and its owner's client. */
const ready = async (started: Started): Promise<string> => {
  const { targetIds } = await started.node.declareTargets({ targets: [synthetic] })
  await started.heard('online')
  return targetIds[0]!
}

const startInput = (sessionId: string, targetId: string) => ({
  sessionId,
  scope: { kind: 'targets' as const, targetIds: [targetId] },
  durationMs: 60_000,
})

const answersOf = async (db: Db, captureId: string) => {
  const rows = db.selectFrom('node_commands').select(['number', 'kind', 'answer']).where('capture_id', '=', captureId)
  return rows.orderBy('number').execute()
}

nodeTest(
  'a capture is opened, begun, stopped and proved by commands and answers',
  async ({ plane, session, database }) => {
    const commands = recorder()
    await using started = startNode({ url: plane.url, token: session.nodeToken, onCommand: commands.onCommand })
    const targetId = await ready(started)
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    const { capture } = await owner.rpc.captures.start.mutate(startInput(session.sessionId, targetId))
    expect(capture.segments.map((segment) => segment.status)).toEqual(['running'])
    const stopped = owner.rpc.captures.stop.mutate({ id: capture.id })
    await poll(() => commands.kinds.length === 3, { what: 'the stop' })
    const part = { captureId: capture.id, segmentNo: 0 }
    const end = { outcome: 'completed', reason: 'manual_stop', detail: null } as const
    await started.node.report([{ ...part, sliceNo: 0, halfUsed: false, counters, lagMs: null, end }])
    expect(await started.node.manifest({ ...part, manifest: emptyManifest })).toEqual({
      storage: 'complete',
      missing: [],
    })
    expect((await stopped).status).toBe('completed')
    expect(commands.kinds).toEqual(['segment.open', 'segment.begin', 'segment.stop'])
    const answers = await answersOf(database.db, capture.id)
    expect(answers.map((row) => row.answer)).toEqual([
      expect.objectContaining({ kind: 'opened', serverVersion: null, dialect: 'bracket', role: 'primary' }),
      { kind: 'running' },
      { kind: 'acknowledged' },
    ])
  },
)

nodeTest('a command that is delivered again while it runs is not run twice', async ({ plane, session }) => {
  const commands = recorder()
  const letGo = commands.hold('segment.open')
  await using proxy = await startFaultProxy({ port: Number(new URL(plane.url).port) })
  const url = `http://127.0.0.1:${proxy.port}`
  await using started = startNode({ url, token: session.nodeToken, onCommand: commands.onCommand })
  const targetId = await ready(started)
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  const start = owner.rpc.captures.start.mutate(startInput(session.sessionId, targetId))
  await poll(() => commands.ran.length === 1, { what: 'the open' })
  for (let cuts = 1; cuts <= 2; cuts += 1) {
    proxy.cut()
    await started.heard('reconnected', cuts)
    await started.heard('credit', started.events.credit.length + 1)
  }
  letGo()
  expect((await start).capture.segments[0]?.status).toBe('running')
  expect(commands.kinds).toEqual(['segment.open', 'segment.begin'])
})

dbTest(
  'an answer that could not be sent goes after the reconnect, and nothing runs twice',
  async ({ database, databaseUrl }) => {
    const session = await makeSession(database.db)
    await using plane = await startControlPlane({ databaseUrl, env: { ...ENV, SONDE_OFFLINE_AFTER_MS: '60000' } })
    const commands = recorder()
    const letGo = commands.hold('segment.open')
    await using started = startNode({ url: plane.url, token: session.nodeToken, onCommand: commands.onCommand })
    const targetId = await ready(started)
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    const start = owner.rpc.captures.start.mutate(startInput(session.sessionId, targetId)).catch(() => 'lost')
    await poll(() => commands.ran.length === 1, { what: 'the open' })
    await plane.kill()
    expect(await start).toBe('lost')
    letGo()
    await plane.restart()
    await poll(() => commands.kinds.includes('segment.begin'), { what: 'the begin' })
    const { captureId } = commands.ran[0]!.body
    await poll(async () => (await answersOf(database.db, captureId)).every((row) => row.answer !== null), {
      what: 'the answers',
    })
    expect(commands.kinds).toEqual(['segment.open', 'segment.begin'])
  },
)

nodeTest('a command that fails is answered with the code, and the others go on', async ({ plane, session }) => {
  await using started = startNode({
    url: plane.url,
    token: session.nodeToken,
    onCommand: () => Promise.reject(new SondeError('target.not_found')),
  })
  const targetId = await ready(started)
  await using owner = createClient({ url: plane.url, token: session.ownerToken })
  const start = owner.rpc.captures.start.mutate(startInput(session.sessionId, targetId))
  await expect(start).rejects.toThrow('There is no such target')
})

nodeTest(
  'a gap is waited out: filled, all run in order; answered by others, the rest runs',
  async ({ plane, session, database }) => {
    const commands = recorder()
    await using started = startNode({ url: plane.url, token: session.nodeToken, onCommand: commands.onCommand })
    const targetId = await ready(started)
    await using owner = createClient({ url: plane.url, token: session.ownerToken })
    const { capture } = await owner.rpc.captures.start.mutate(startInput(session.sessionId, targetId))
    const part = { captureId: capture.id, segmentNo: 0 }
    /** Delivery is by id, so the ids are given in the order of delivery. */
    const insert = async (...numbers: number[]) => {
      const rows = numbers.map((number) => ({
        id: newId(),
        node_id: started.nodeId,
        kind: 'segment.discard' as const,
        capture_id: capture.id,
        segment_no: 0,
        number,
        payload: JSON.stringify({ kind: 'segment.discard', ...part, why: 'test' }),
      }))
      await database.db.insertInto('node_commands').values(rows).execute()
    }
    const ranNumbers = () => commands.ran.map((command) => command.number)
    await insert(4, 3, 2)
    await poll(() => commands.ran.length === 5, { what: 'the filled gap' })
    expect(ranNumbers()).toEqual([0, 1, 2, 3, 4])
    await insert(7)
    await poll(() => commands.ran.length === 6, { what: 'the command behind a gap that stays' })
    expect(ranNumbers()).toEqual([0, 1, 2, 3, 4, 7])
  },
)
