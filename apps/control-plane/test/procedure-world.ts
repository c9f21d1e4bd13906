import { newId, type WireError } from '@sonde/contracts'
import { hashToken, mintToken, type Database } from '@sonde/database'
import { sql } from 'kysely'
import { WebSocket } from 'ws'
import { seedCapture } from './capture-fixture.ts'
import { attach, goOnline } from './node-support.ts'
import { addMember, call, makeNodeToken, makePerson, makeSession, query, type Answer, type Person } from './support.ts'

/**
 * Who may call. `node` and `sibling` act for the operator in the session, each for a node of its own, `foreignNode` for the
 * stranger in a session of their own.
 */
export const CALLERS = [
  'nobody',
  'garbage',
  'expired',
  'revoked',
  'stranger',
  'foreignNode',
  'suspended',
  'viewer',
  'owner',
  'node',
  'sibling',
  'operator',
] as const
export type Caller = (typeof CALLERS)[number]

/** A session with its people, the operator's online node, and a capture that runs on it. */
export interface World {
  url: string
  tokens: Record<Caller, string | undefined>
  participants: Record<Caller, string>
  sessionId: string
  nodeId: string
  epoch: number
  captureId: string
  targetId: string
  commandId: string
  /** A token of the session, and a member, that nothing else needs. */
  spareTokenId: string
  spareParticipantId: string
}

const wornToken = async ({ db }: Database, owner: Person, state: 'expired' | 'revoked'): Promise<string> => {
  const token = mintToken('person')
  const hour = (sign: number) => new Date(Date.now() + sign * 3_600_000)
  await db
    .insertInto('tokens')
    .values({
      id: newId(),
      kind: 'person',
      sha256: hashToken(token),
      name: state,
      participant_id: owner.participantId,
      expires_at: hour(state === 'expired' ? -1 : 1),
      revoked_at: state === 'revoked' ? new Date() : null,
    })
    .execute()
  return token
}

export const makeWorld = async (database: Database, url: string): Promise<World> => {
  const { db } = database
  const people = ['owner', 'operator', 'viewer', 'suspended', 'stranger', 'spare'] as const
  const made = await Promise.all(people.map((name) => makePerson(database, name)))
  const [owner, operator, viewer, suspended, stranger, spare] = made as [Person, Person, Person, Person, Person, Person]
  const sessionId = await makeSession(database, owner)
  await addMember(database, sessionId, { person: operator, role: 'operator' })
  await addMember(database, sessionId, { person: viewer, role: 'viewer' })
  await addMember(database, sessionId, { person: suspended, role: 'operator' })
  await addMember(database, sessionId, { person: spare, role: 'viewer' })
  await db
    .updateTable('session_memberships')
    .set({ state: 'suspended' })
    .where('participant_id', '=', suspended.participantId)
    .execute()
  const nodeToken = await makeNodeToken(database, operator, sessionId)
  await makeNodeToken(database, spare, sessionId)
  const spareToken = await db
    .selectFrom('tokens')
    .select('id')
    .where('participant_id', '=', spare.participantId)
    .where('session_id', '=', sessionId)
    .executeTakeFirstOrThrow()
  const caller = { url, owner: operator, token: nodeToken }
  const { nodeId, epoch } = await attach(caller, { sessionId })
  await goOnline(caller, nodeId)
  const { participantId } = operator
  const workspace = { sessionId, participantId, nodeId, personToken: operator.token, nodeToken }
  const captureId = await seedCapture(db, workspace, 1)
  const segment = await db
    .updateTable('capture_segments')
    .set({ attachment_epoch: epoch, begun_at: sql<Date>`now()` })
    .where('capture_id', '=', captureId)
    .returning('target_id')
    .executeTakeFirstOrThrow()
  const commandId = newId()
  const payload = { kind: 'segment.begin', captureId, segmentNo: 0 }
  await db
    .insertInto('node_commands')
    .values({
      id: commandId,
      node_id: nodeId,
      kind: 'segment.begin',
      capture_id: captureId,
      segment_no: 0,
      number: 0,
      payload: JSON.stringify(payload),
    })
    .execute()
  const siblingToken = await makeNodeToken(database, operator, sessionId)
  await attach({ url, owner: operator, token: siblingToken }, { sessionId })
  const foreignSession = await makeSession(database, stranger)
  const foreignToken = await makeNodeToken(database, stranger, foreignSession)
  await attach({ url, owner: stranger, token: foreignToken }, { sessionId: foreignSession })
  return {
    url,
    sessionId,
    nodeId,
    epoch,
    captureId,
    commandId,
    targetId: segment.target_id,
    spareTokenId: spareToken.id,
    spareParticipantId: spare.participantId,
    tokens: {
      nobody: undefined,
      garbage: `sonde_p_${'z'.repeat(43)}`,
      expired: await wornToken(database, owner, 'expired'),
      revoked: await wornToken(database, owner, 'revoked'),
      stranger: stranger.token,
      foreignNode: foreignToken,
      suspended: suspended.token,
      viewer: viewer.token,
      owner: owner.token,
      node: nodeToken,
      sibling: siblingToken,
      operator: operator.token,
    },
    participants: {
      nobody: owner.participantId,
      garbage: owner.participantId,
      expired: owner.participantId,
      revoked: owner.participantId,
      stranger: stranger.participantId,
      foreignNode: stranger.participantId,
      suspended: suspended.participantId,
      viewer: viewer.participantId,
      owner: owner.participantId,
      node: operator.participantId,
      sibling: operator.participantId,
      operator: operator.participantId,
    },
  }
}

interface Frame {
  error?: { data?: { sondeError?: WireError } }
  result?: { type?: string; data?: unknown }
}

/** The first thing that a subscription says over a raw socket: its error, or its first message. */
const subscribe = (url: string, token: string | undefined, request: { path: string; input: unknown }) =>
  new Promise<Answer>((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const socket = new WebSocket(`${url.replace('http', 'ws')}/trpc`, { headers })
    socket.on('error', reject)
    socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'subscription', params: request })))
    socket.on('message', (message: Buffer) => {
      const text = message.toString()
      if (!text.startsWith('{')) return
      const { error, result } = JSON.parse(text) as Frame
      if (result?.type === 'started') return
      socket.terminate()
      resolve({
        status: error ? 0 : 200,
        requestId: null,
        text,
        data: result?.data,
        error: error?.data?.sondeError,
      })
    })
  })

/** Any procedure, as its kind is called. */
export const callProcedure = (
  url: string,
  token: string | undefined,
  request: { path: string; type: string; input: unknown },
): Promise<Answer> => {
  const { path, type, input } = request
  if (type === 'subscription') return subscribe(url, token, { path, input })
  return type === 'query' ? query(url, token, path, input) : call(url, token, path, input)
}
