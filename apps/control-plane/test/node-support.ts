import { randomBytes } from 'node:crypto'
import type { AttachResult, HeartbeatResult } from '@sonde/contracts'
import { call, type Answer, type Person } from './support.ts'

/** A node id as a daemon mints it. */
export const newNodeId = (): string => `node-${randomBytes(16).toString('hex')}`

/** Where and as whom a node's calls are made. */
export interface NodeCaller {
  url: string
  owner: Person
  /** @default the owner's own token */
  token?: string
}

/** A raw attach; `fields` replace those of a plain one. */
export const tryAttach = (
  { url, owner, token }: NodeCaller,
  fields: { nodeId: string; sessionId: string } & Record<string, unknown>,
): Promise<Answer> =>
  call(url, token ?? owner.token, 'runtimeNode.attach', {
    participantId: owner.participantId,
    clientVersion: '1.0',
    capabilities: {},
    healthState: 'online',
    ...fields,
  })

/** An attach that must succeed. */
export const attach = async (
  caller: NodeCaller,
  fields: { sessionId: string } & Record<string, unknown>,
): Promise<AttachResult & { nodeId: string }> => {
  const nodeId = typeof fields['nodeId'] === 'string' ? fields['nodeId'] : newNodeId()
  const answer = await tryAttach(caller, { ...fields, nodeId })
  if (answer.status !== 200) throw new Error(`attach was refused: ${answer.text}`)
  return { ...(answer.data as AttachResult), nodeId }
}

/** A raw heartbeat. */
export const beat = (
  { url, owner, token }: NodeCaller,
  fields: { nodeId: string } & Record<string, unknown>,
): Promise<Answer> => call(url, token ?? owner.token, 'runtimeNode.heartbeat', { healthState: 'online', ...fields })

/** A raw capability update. */
export const update = (
  { url, owner, token }: NodeCaller,
  fields: { nodeId: string } & Record<string, unknown>,
): Promise<Answer> =>
  call(url, token ?? owner.token, 'runtimeNode.capabilityUpdate', { capabilities: { monitor: {} }, ...fields })

/** A raw detach. */
export const detach = (
  { url, owner, token }: NodeCaller,
  fields: { nodeId: string } & Record<string, unknown>,
): Promise<Answer> => call(url, token ?? owner.token, 'runtimeNode.detach', fields)

/** Declares, then reports online, as a daemon does: the two calls that take a new attachment to `online`. */
export const goOnline = async (caller: NodeCaller, nodeId: string): Promise<void> => {
  for (const fields of [{}, { healthChanges: { state: 'online' } }]) {
    const answer = await update(caller, { nodeId, ...fields })
    if (answer.status !== 200) throw new Error(`going online was refused: ${answer.text}`)
  }
}

/** The verdict of an accepted beat. */
export const verdictOf = (answer: Answer): HeartbeatResult => answer.data as HeartbeatResult
