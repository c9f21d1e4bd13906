import type { NodeDetail } from '@sonde/contracts'
import { call, query, type Answer, type Person } from './support.ts'

/** Where and as whom a person acts on a node in a session. */
export interface Place {
  url: string
  sessionId: string
  nodeId: string
}

/** One of `runtimeNode.revoke | cordon | uncordon | drain | remove`. */
export const act = (
  person: Person,
  { url, sessionId, nodeId }: Place,
  call_: { procedure: 'revoke' | 'cordon' | 'uncordon' | 'drain' | 'remove' } & Record<string, unknown>,
): Promise<Answer> => {
  const { procedure, ...fields } = call_
  return call(url, person.token, `runtimeNode.${procedure}`, { sessionId, nodeId, ...fields })
}

/** A drain that is due in an hour, unless `fields` say otherwise. */
export const drainOf = (fields: Record<string, unknown> = {}) => ({
  procedure: 'drain' as const,
  deadline: new Date(Date.now() + 3_600_000).toISOString(),
  onDeadline: 'stop',
  ...fields,
})

/** What `runtimeNode.show` answers to somebody who may see it. */
export const shownTo = async (person: Person, { url, sessionId, nodeId }: Place): Promise<NodeDetail> => {
  const answer = await query(url, person.token, 'runtimeNode.show', { sessionId, nodeId })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.data as NodeDetail
}
