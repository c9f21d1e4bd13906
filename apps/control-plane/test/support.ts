import { newId, type Role, type SessionState, type WireError } from '@sonde/contracts'
import { hashToken, mintToken, type Database, type Schema } from '@sonde/database'
import { startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'

/** A participant with a token that never expires in a test. */
export interface Person {
  participantId: string
  token: string
}

/** A raw answer of the control plane: `data` of a success, `error` (the five fields) of a refusal. */
export interface Answer {
  status: number
  requestId: string | null
  text: string
  data: unknown
  error: WireError | undefined
}

/** `dbTest` with a control plane in a process of its own that does not sweep. */
export const serverTest = dbTest.extend('server', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
  const server = await startControlPlane({ databaseUrl, env: { SONDE_SWEEP_MS: 'off' } })
  onCleanup(() => server[Symbol.asyncDispose]())
  return server
})

const HOUR_MS = 3_600_000

const insertToken = async ({ db }: Database, owner: string, sessionId: string | null): Promise<string> => {
  const kind = sessionId === null ? 'person' : 'node'
  const token = mintToken(kind)
  const expires_at = new Date(Date.now() + HOUR_MS)
  const row = { id: newId(), kind, sha256: hashToken(token), name: 'test', participant_id: owner, expires_at } as const
  await db
    .insertInto('tokens')
    .values({ ...row, session_id: sessionId })
    .execute()
  return token
}

/** A person with a token, written straight to the database. */
export const makePerson = async (database: Database, name = 'someone'): Promise<Person> => {
  const participantId = newId()
  await database.db.insertInto('participants').values({ id: participantId, name }).execute()
  return { participantId, token: await insertToken(database, participantId, null) }
}

/** The token of a node that acts for `owner` in one session. */
export const makeNodeToken = (database: Database, owner: Person, sessionId: string): Promise<string> =>
  insertToken(database, owner.participantId, sessionId)

/** Makes a token a node's, as its first attach does. */
export const bindToken = async ({ db }: Database, token: string, nodeId: string): Promise<void> => {
  await db.updateTable('tokens').set({ node_id: nodeId }).where('sha256', '=', hashToken(token)).execute()
}

/** Makes somebody an active member. */
export const addMember = async (
  database: Database,
  sessionId: string,
  member: { person: Person; role: Role },
): Promise<void> => {
  const { person, role } = member
  await database.db
    .insertInto('session_memberships')
    .values({ session_id: sessionId, participant_id: person.participantId, role })
    .execute()
}

/** A session with its owner, written straight to the database; answers its id. */
export const makeSession = async (
  database: Database,
  owner: Person,
  options: { floor?: string; state?: SessionState } = {},
): Promise<string> => {
  const id = newId()
  const { floor = null, state = 'active' } = options
  const row = { id, name: 'test', state, min_client_version: floor, created_by: owner.participantId }
  await database.db.insertInto('sessions').values(row).execute()
  await addMember(database, id, { person: owner, role: 'owner' })
  return id
}

const send = async (url: string, init: RequestInit): Promise<Answer> => {
  const response = await fetch(url, init)
  const text = await response.text()
  const body = JSON.parse(text) as { result?: { data: unknown }; error?: { data?: { sondeError?: WireError } } }
  return {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    text,
    data: body.result?.data,
    error: body.error?.data?.sondeError,
  }
}

const authorization = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** A mutation over plain HTTP. */
export const call = (url: string, token: string | undefined, procedure: string, input: unknown): Promise<Answer> =>
  send(`${url}/trpc/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization(token) },
    body: JSON.stringify(input),
  })

/** A query over plain HTTP. */
export const query = (url: string, token: string | undefined, procedure: string, input?: unknown): Promise<Answer> => {
  const search = input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`
  return send(`${url}/trpc/${procedure}${search}`, { headers: authorization(token) })
}

/** Every row of some tables as JSON text, in a fixed order: equal snapshots are equal bytes and equal counts. */
export const snapshot = async ({ db }: Database, ...tables: (keyof Schema)[]): Promise<Record<string, string[]>> => {
  const rows: Record<string, string[]> = {}
  for (const table of tables) {
    const found = await sql<{ row: string }>`
      select to_jsonb(t)::text as row from ${sql.table(table)} t order by 1`.execute(db)
    rows[table] = found.rows.map(({ row }) => row)
  }
  return rows
}

/** The answer's error with the request id taken out, for comparing refusals byte by byte. */
export const withoutRequestId = (answer: Answer): string =>
  answer.error ? answer.text.replace(answer.error.requestId, '') : answer.text
