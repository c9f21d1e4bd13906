import { createClient } from '@sonde/client'
import { redactionRulesSchema, type DeliveredCommand, type RedactionLevel } from '@sonde/contracts'
import { expect } from 'vitest'
import { addMember, call, makeNodeToken, makePerson, makeSession, query, serverTest } from './support.ts'
import { openedBy, standalone, startWireNode, type WireNodeOptions } from './wire-node.ts'

const rulesOf = (level: RedactionLevel) => redactionRulesSchema.parse({ level })

const test = serverTest
  .extend('owner', ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('startNode', async ({ database, server, owner, sessionId }, { onCleanup }) => {
    const token = await makeNodeToken(database, owner, sessionId)
    return async (answer?: WireNodeOptions['answer']) => {
      const fields = { url: server.url, owner, token, sessionId, targets: [standalone(1)] }
      const node = await startWireNode({ ...fields, ...(answer && { answer }) })
      onCleanup(() => node[Symbol.asyncDispose]())
      return node
    }
  })

test('a session begins with revision 1 at the default level, and counts up', async ({ rpc, sessionId, owner }) => {
  const first = await rpc.policies.get.query({ sessionId })
  expect(first).toMatchObject({ revision: 1, rules: rulesOf('full'), createdBy: null, minRevision: 0 })
  const second = await rpc.policies.set.mutate({ sessionId, rules: { level: 'keys', keepKeyPrefix: true } })
  expect(second).toMatchObject({ revision: 2, createdBy: owner.participantId, minRevision: 0 })
  expect(second.rules).toEqual({ level: 'keys', keyPatterns: [], keepKeyPrefix: true })
  expect(second.sha256).not.toBe(first.sha256)
  expect(await rpc.policies.get.query({ sessionId })).toEqual(second)
})

test('many who set at once each get a revision of their own, without holes', async ({ rpc, sessionId }) => {
  const levels = ['full', 'keys', 'values', 'none'] as const
  const set = await Promise.all(
    Array.from({ length: 12 }, (_, at) => rpc.policies.set.mutate({ sessionId, rules: rulesOf(levels[at % 4]!) })),
  )
  const revisions = set.map(({ revision }) => revision).toSorted((a, b) => a - b)
  expect(revisions).toEqual(Array.from({ length: 12 }, (_, at) => at + 2))
})

test('an operator may set what masks, and only an owner what keeps everything', async ({
  database,
  server,
  sessionId,
}) => {
  const operator = await makePerson(database, 'operator')
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  const set = (level: RedactionLevel) =>
    call(server.url, operator.token, 'policies.set', { sessionId, rules: { level } })
  expect((await set('values')).status).toBe(200)
  expect((await set('none')).error).toMatchObject({ code: 'auth.role_required', details: { required: ['owner'] } })
  const { data } = await query(server.url, operator.token, 'policies.get', { sessionId })
  expect(data).toMatchObject({ rules: { level: 'values' } })
})

test('a level or a pattern that is not known is refused, and not taken as off', async ({
  server,
  owner,
  sessionId,
}) => {
  for (const rules of [{ level: 'off' }, { level: 'full', keyPatterns: ['ip'] }, { level: 'full', more: 1 }, {}]) {
    const { error } = await call(server.url, owner.token, 'policies.set', { sessionId, rules })
    expect(error?.code).toBe('request.invalid')
  }
})

test('a capture keeps the policy that it began under, and its node proves it', async ({
  rpc,
  sessionId,
  startNode,
}) => {
  const node = await startNode()
  await rpc.policies.set.mutate({ sessionId, rules: { level: 'values', keyPatterns: ['email'] } })
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  await rpc.policies.set.mutate({ sessionId, rules: { level: 'full' } })
  const shown = await rpc.captures.get.query({ id: capture.id })
  expect(shown).toMatchObject({ policyRevision: 2, policyLevel: 'values', status: 'running' })
  expect(shown.segments[0]).toMatchObject({ redactionKey: '0123456789abcdef' })
  const open = node.commands.find(({ body }) => body.kind === 'segment.open')?.body
  const policy = { level: 'values', keyPatterns: ['email'], keepKeyPrefix: false }
  expect(open).toMatchObject({ policyRevision: 2, policy })
})

const refusing = ({ body }: DeliveredCommand) =>
  body.kind === 'segment.open'
    ? ({ kind: 'refused', code: 'policy_not_applied', detail: 'not known here' } as const)
    : ({ kind: 'acknowledged' } as const)
const silent = ({ body }: DeliveredCommand) => {
  if (body.kind !== 'segment.open') return { kind: 'acknowledged' } as const
  const { policy: _policy, ...opened } = openedBy(body)
  return opened
}
const mistaken = ({ body }: DeliveredCommand) => {
  if (body.kind !== 'segment.open') return { kind: 'acknowledged' } as const
  return openedBy({ ...body, policy: rulesOf('none') })
}

test.for([
  ['does not know the policy', refusing],
  ['does not say by what it redacts', silent],
  ['redacts by other rules', mistaken],
] as const)('a node that %s records nothing', async ([, answer], { rpc, sessionId, startNode }) => {
  const node = await startNode(answer)
  const start = rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  await expect(start).rejects.toThrow()
  const { captures } = await rpc.captures.list.query({ sessionId })
  const capture = await rpc.captures.get.query({ id: captures[0]!.id })
  expect(capture).toMatchObject({ status: 'failed', terminationReason: 'policy_not_applied' })
  expect(node.commands.some(({ body }) => body.kind === 'segment.begin')).toBe(false)
})

test('after a strict change no chunk of an older revision is stored, and captures under it are asked to stop', async ({
  database,
  rpc,
  sessionId,
  startNode,
}) => {
  const node = await startNode()
  const { capture } = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
  const send = (seq: number) => node.upload(capture.id, 0, [{ seq, lines: ['line'] }], 1)
  expect((await send(0)).results[0]?.outcome).toBe('stored')
  const uploads = Array.from({ length: 20 }, (_, at) => send(at + 1))
  const set = await rpc.policies.set.mutate({ sessionId, rules: rulesOf('keys'), strict: true })
  const countOf = async () => {
    const rows = database.db.selectFrom('capture_chunks').select('seq').where('capture_id', '=', capture.id)
    return (await rows.execute()).length
  }
  const atOnce = await countOf()
  expect(set).toMatchObject({ revision: 2, minRevision: 2 })
  expect((await send(100)).results[0]?.outcome).toBe('policy.stale')
  const outcomes = (await Promise.all(uploads)).map(({ results }) => results[0]?.outcome)
  expect(await countOf()).toBe(atOnce)
  expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(atOnce - 1)
  expect(outcomes.filter((outcome) => outcome === 'policy.stale')).toHaveLength(21 - atOnce)
  expect((await rpc.captures.get.query({ id: capture.id })).stopRequestedAt).not.toBeNull()
})
