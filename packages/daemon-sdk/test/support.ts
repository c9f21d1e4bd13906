import { createHash, randomBytes } from 'node:crypto'
import { createClient } from '@sonde/client'
import {
  canonicalRules,
  newId,
  redactionRulesSchema,
  type CommandResult,
  type DeclaredTarget,
  type DeliveredCommand,
  type RosterNode,
} from '@sonde/contracts'
import { poll, startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import type { TestAPI } from 'vitest'
import type { RuntimeNode, RuntimeNodeEvents, RuntimeNodeOptions } from '../src/node-api.ts'
import { createRuntimeNode } from '../src/runtime-node.ts'

/** Settings of a control plane with liveness at about 1/75 scale. */
export const ENV = {
  SONDE_HEARTBEAT_MS: '200',
  SONDE_DEGRADED_AFTER_MS: '1500',
  SONDE_OFFLINE_AFTER_MS: '3000',
  SONDE_SWEEP_MS: '100',
}
/** The answer of a daemon that redacts as the command says. */
export const openedBy = ({ body }: DeliveredCommand): CommandResult => {
  const rules = redactionRulesSchema.parse('policy' in body ? body.policy : undefined)
  const sha256 = createHash('sha256').update(canonicalRules(rules)).digest('hex')
  const policy = { sha256, keyFingerprint: '0123456789abcdef' }
  return { kind: 'opened', serverVersion: null, dialect: 'bracket', role: 'primary', policy }
}
/** An open database. */
export type Db = (typeof dbTest extends TestAPI<infer Context> ? Context : never)['database']['db']

/** A token; a node's belongs to the node that attaches with it first. */
export const insertToken = async (
  db: Db,
  kind: 'person' | 'node',
  ids: { participantId: string; sessionId: string },
) => {
  const token = `sonde_${kind === 'node' ? 'n' : 'p'}_${randomBytes(32).toString('base64url')}`
  const sha256 = createHash('sha256').update(token).digest()
  const { participantId: participant_id, sessionId: session_id } = ids
  const row = { id: newId(), kind, sha256, name: 'test', participant_id, session_id }
  const expires_at = new Date(Date.now() + 3_600_000)
  await db
    .insertInto('tokens')
    .values({ ...row, expires_at })
    .execute()
  return token
}

/** A session with its owner, and a token for each of them and for a node. */
export const makeSession = async (db: Db, options: { floor?: string; participantId?: string } = {}) => {
  const participantId = options.participantId ?? newId()
  const sessionId = newId()
  if (!options.participantId) await db.insertInto('participants').values({ id: participantId, name: 'owner' }).execute()
  const row = { id: sessionId, name: 'test', created_by: participantId, min_client_version: options.floor ?? null }
  await db.insertInto('sessions').values(row).execute()
  const member = { session_id: sessionId, participant_id: participantId, role: 'owner' } as const
  await db.insertInto('session_memberships').values(member).execute()
  const ids = { participantId, sessionId }
  return { ...ids, nodeToken: await insertToken(db, 'node', ids), ownerToken: await insertToken(db, 'person', ids) }
}

/** `dbTest` with a control plane for the file and a session for the test. */
export const nodeTest = dbTest
  .extend('plane', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const plane = await startControlPlane({ databaseUrl, env: ENV })
    onCleanup(() => plane[Symbol.asyncDispose]())
    return plane
  })
  .extend('session', ({ database }) => makeSession(database.db))

/** A node under test; disposing stops it. */
export interface Started extends AsyncDisposable {
  node: RuntimeNode
  nodeId: string
  /** What the node told, in order. */
  told: (keyof RuntimeNodeEvents)[]
  events: { [Name in keyof RuntimeNodeEvents]: RuntimeNodeEvents[Name][] }
  /** Waits until the event has been told `times` times. */
  heard<Name extends keyof RuntimeNodeEvents>(name: Name, times?: number): Promise<RuntimeNodeEvents[Name]>
}

/** Starts a node, by default a new one that acknowledges every command. */
export const startNode = (options: Partial<RuntimeNodeOptions> & Pick<RuntimeNodeOptions, 'url'>): Started => {
  const nodeId = options.nodeId ?? `node-${randomBytes(16).toString('hex')}`
  const node = createRuntimeNode({
    nodeId,
    clientVersion: '1.0',
    capabilities: { monitor: {} },
    onCommand: () => Promise.resolve({ kind: 'acknowledged' }),
    ...options,
  })
  const told: Started['told'] = []
  const events: Started['events'] = {
    attached: [],
    online: [],
    readOnlyChanged: [],
    credit: [],
    targetsDeclared: [],
    credential: [],
    drain: [],
    disconnected: [],
    reconnected: [],
    mainLoopStalled: [],
    laneFailed: [],
    fenced: [],
    revoked: [],
    stopped: [],
  }
  const note = <Name extends keyof RuntimeNodeEvents>(name: Name) =>
    node.on(name, (event) => {
      told.push(name)
      events[name].push(event)
    })
  for (const name of Object.keys(events) as (keyof RuntimeNodeEvents)[]) note(name)
  node.start()
  return {
    node,
    nodeId,
    told,
    events,
    heard: (name, times = 1) =>
      poll(() => events[name][times - 1], { what: `${name}, ${times} times`, timeoutMs: 15_000 }),
    [Symbol.asyncDispose]: () => node.stop(),
  }
}

/** One node's row of the roster, ended or not. */
export const rosterOf = async (
  url: string,
  { ownerToken, sessionId }: { ownerToken: string; sessionId: string },
  nodeId: string,
): Promise<RosterNode | undefined> => {
  await using owner = createClient({ url, token: ownerToken })
  const { nodes } = await owner.rpc.runtimeNode.roster.query({ sessionId, includeEnded: true })
  return nodes.find((each) => each.nodeId === nodeId)
}

/** A target that needs no server. */
export const synthetic: DeclaredTarget = {
  kind: 'synthetic',
  host: 'synthetic',
  port: 0,
  role: 'primary',
  reachable: true,
  health: 'healthy',
}
