import { newId } from '@sonde/contracts'
import { expect } from 'vitest'
import { appRouter } from '../src/router.ts'
import { newNodeId } from './node-support.ts'
import { CALLERS, callProcedure, makeWorld, type Caller, type World } from './procedure-world.ts'
import { inSession, ROWS, type Expected } from './procedure-table.ts'
import { serverTest, withoutRequestId } from './support.ts'

const NO_TOKEN: Record<Exclude<Caller, keyof Expected>, string> = {
  nobody: 'auth.token_missing',
  garbage: 'auth.token_invalid',
  expired: 'auth.token_expired',
  revoked: 'auth.token_invalid',
}

/** Flat at run time, whatever the type says. */
const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>

serverTest('the table has a row for every procedure, and for nothing else', () => {
  expect(new Set(ROWS.map(({ path }) => path))).toEqual(new Set(Object.keys(procedures)))
})

serverTest.for(ROWS.map((row, at) => ({ ...row, at })))(
  '$path ($at) answers each kind of caller as the table says',
  async ({ path, input, expected }, { database, server }) => {
    const world = await makeWorld(database, server.url)
    const type = procedures[path]?._def.type ?? ''
    const answers: Partial<Record<Caller, string>> = {}
    for (const caller of CALLERS) {
      const answer = await callProcedure(world.url, world.tokens[caller], { path, type, input: input(world, caller) })
      answers[caller] = answer.error?.code ?? (answer.data === undefined ? answer.text : 'ok')
    }
    expect(answers).toEqual({ ...NO_TOKEN, ...expected })
  },
)

/** The same input about things that do not exist. */
const unknownOf = (world: World): World => ({
  ...world,
  sessionId: newId(),
  nodeId: newNodeId(),
  captureId: newId(),
  commandId: newId(),
  targetId: newId(),
  spareTokenId: newId(),
  spareParticipantId: newId(),
})

serverTest(
  'for whoever may not see them, things that exist and things that do not give the same bytes, and name nothing',
  async ({ database, server }) => {
    const world = await makeWorld(database, server.url)
    const unknown = unknownOf(world)
    const secrets = [
      world.sessionId,
      world.nodeId,
      world.captureId,
      world.targetId,
      world.commandId,
      world.spareTokenId,
      world.participants.owner,
      world.participants.operator,
      world.participants.viewer,
    ]
    for (const { path, input } of ROWS) {
      const type = procedures[path]?._def.type ?? ''
      for (const caller of ['stranger', 'foreignNode', 'suspended'] as const) {
        const ask = (about: World) =>
          callProcedure(world.url, world.tokens[caller], { path, type, input: input(about, caller) })
        const [real, absent] = [await ask(world), await ask(unknown)]
        expect(real.error?.code, path).toBe(absent.error?.code)
        if (!real.error) {
          // What a call that is not about these things answers, such as a new session, differs by itself.
          if (path === 'runtimeNode.detach') expect(real.text).toBe(absent.text)
          continue
        }
        expect(withoutRequestId(real), `${path} as ${caller}`).toBe(withoutRequestId(absent))
        expect(
          secrets.filter((secret) => real.text.includes(secret)),
          path,
        ).toEqual([])
      }
    }
  },
)

serverTest('lists and rosters show only what is of the session that was asked for', async ({ database, server }) => {
  const [mine, other] = [await makeWorld(database, server.url), await makeWorld(database, server.url)]
  const foreign = [other.sessionId, other.nodeId, other.captureId, other.targetId, other.participants.operator]
  const own = {
    'sessions.list': mine.sessionId,
    'sessions.get': mine.sessionId,
    'runtimeNode.roster': mine.nodeId,
    'targets.list': mine.targetId,
    'captures.list': mine.captureId,
  }
  for (const [path, id] of Object.entries(own)) {
    const input = path === 'sessions.list' ? {} : inSession(mine)
    const answer = await callProcedure(mine.url, mine.tokens.owner, { path, type: 'query', input })
    expect(answer.text, path).toContain(id)
    expect(
      foreign.filter((each) => answer.text.includes(each)),
      path,
    ).toEqual([])
  }
})
