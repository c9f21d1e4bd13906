import { createWireLane, poll, type WireAnswer } from '@sonde/testing'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { attach, goOnline, newNodeId } from '../../test/node-support.ts'
import { makeNodeToken, makePerson, makeSession, serverTest } from '../../test/support.ts'

/** Sends messages on one socket and answers what comes back, by id. */
const exchange = async (place: { url: string; token: string }, messages: unknown[]): Promise<Map<number, unknown>> => {
  const socket = new WebSocket(`${place.url.replace('http', 'ws')}/trpc`, {
    headers: { authorization: `Bearer ${place.token}` },
  })
  const answers = new Map<number, unknown>()
  socket.on('message', (data: Buffer) => {
    const answer = JSON.parse(data.toString()) as { id: number }
    answers.set(answer.id, answer)
  })
  await new Promise((resolve) => socket.once('open', resolve))
  for (const message of messages) socket.send(JSON.stringify(message))
  await poll(() => answers.size === messages.length, { what: 'all answers' })
  socket.terminate()
  return answers
}

/** Without what differs from call to call. */
const comparable = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer, (key, value: unknown) => (key === 'requestId' || key === 'id' ? undefined : value)))

serverTest('a beat is answered as tRPC would answer it, accepted or refused', async ({ database, server }) => {
  const owner = await makePerson(database)
  const stranger = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const { nodeId, epoch } = await attach(caller, { sessionId })
  await goOnline(caller, nodeId)
  const inputs = [
    { nodeId, healthState: 'online', epoch },
    { nodeId, healthState: 'online', epoch: epoch - 1 },
    { nodeId: newNodeId(), healthState: 'online' },
    { nodeId, healthState: 'offline' },
    { nodeId, healthState: 'online', more: 1 },
    'a text',
    undefined,
  ]
  const tokens = [owner.token, stranger.token, 'sonde_p_wrong', await makeNodeToken(database, owner, sessionId)]
  for (const token of tokens) {
    // tRPC takes a batch of one, and only tRPC does.
    const messages = inputs.flatMap((input, at) => {
      const call = { method: 'mutation', params: { path: 'runtimeNode.heartbeat', input } }
      return [{ id: 2 * at, ...call }, [{ id: 2 * at + 1, ...call }]]
    })
    const answers = await exchange({ url: server.url, token }, messages)
    for (const at of inputs.keys()) {
      expect(comparable(answers.get(2 * at))).toEqual(comparable(answers.get(2 * at + 1)))
    }
  }
})

serverTest('other messages that name the heartbeat are left to tRPC', async ({ database, server }) => {
  const { token } = await makePerson(database)
  const path = 'runtimeNode.heartbeat'
  const answers = await exchange({ url: server.url, token }, [
    { id: 1, method: 'query', params: { path } },
    { id: 2, method: 'query', params: { path: 'tokens.self', input: { path } } },
  ])
  expect(answers.get(1)).toMatchObject({ error: { data: { sondeError: { code: 'request.not_found' } } } })
  expect(answers.get(2)).toHaveProperty('id', 2)
})

serverTest(
  'a lane that was opened with a token that ends is refused at its next beat',
  async ({ database, server }) => {
    const owner = await makePerson(database)
    const sessionId = await makeSession(database, owner)
    const caller = { url: server.url, owner }
    const { nodeId } = await attach(caller, { sessionId })
    const lane = createWireLane({ url: server.url, token: owner.token, random: Math.random, onOpen: () => undefined })
    lane.open()
    await poll(() => lane.isOpen, { what: 'the lane' })
    const beat = () =>
      new Promise<WireAnswer>((resolve) =>
        lane.call(
          { type: 'mutation', path: 'runtimeNode.heartbeat', input: { nodeId, healthState: 'online' } },
          resolve,
        ),
      )
    expect((await beat()).kind).toBe('answered')
    await sql`update tokens set revoked_at = now() where participant_id = ${owner.participantId}`.execute(database.db)
    // A verdict on a token is reused for a second.
    const refused = await poll(
      async () => {
        const answer = await beat()
        return answer.kind === 'refused' && answer
      },
      { what: 'a refusal', everyMs: 200 },
    )
    expect(refused).toEqual({ kind: 'refused', code: 'auth.token_invalid' })
    lane.close()
  },
)
