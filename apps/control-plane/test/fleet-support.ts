import type { RosterNode } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { attach, beat, goOnline, type NodeCaller } from './node-support.ts'
import { query } from './support.ts'

/** Liveness at 1/20 of the default scale. */
export const SCALED = {
  SONDE_HEARTBEAT_MS: '750',
  SONDE_DEGRADED_AFTER_MS: '1500',
  SONDE_OFFLINE_AFTER_MS: '3000',
  SONDE_SWEEP_MS: '250',
  SONDE_BREAKER_HOLD_MS: '6000',
} as const
export const OFFLINE_MS = 3_000
/** From the crossing to the announcement, sweep and a busy machine included. */
export const SLACK_MS = 1_500

/** Nodes that beat by themselves, each with one call in flight. Dispose to stop them. */
export interface Fleet extends AsyncDisposable {
  nodeIds: string[]
  /** Ends the beats of some. */
  silence(nodeIds: readonly string[]): void
  /** Makes silenced ones beat again. */
  resume(nodeIds: readonly string[]): void
}

/** Attaches and brings online `size` nodes, and beats for them every `everyMs`; a failed beat is tried again at the next one. */
export const startFleet = async (
  caller: NodeCaller,
  { sessionId, size, everyMs = 600 }: { sessionId: string; size: number; everyMs?: number },
): Promise<Fleet> => {
  const nodeIds: string[] = []
  for (let first = 0; first < size; first += 20) {
    const batch = Array.from({ length: Math.min(20, size - first) }, async () => {
      const { nodeId } = await attach(caller, { sessionId })
      await goOnline(caller, nodeId)
      return nodeId
    })
    nodeIds.push(...(await Promise.all(batch)))
  }
  const stopped = new AbortController()
  const silent = new Set<string>()
  const beatFor = async (nodeId: string, phase: number): Promise<void> => {
    await sleep(phase * everyMs, undefined, { signal: stopped.signal })
    while (!stopped.signal.aborted) {
      if (!silent.has(nodeId)) await beat(caller, { nodeId }).catch(() => undefined)
      await sleep(everyMs, undefined, { signal: stopped.signal })
    }
  }
  const beats = nodeIds.map((nodeId, at) => beatFor(nodeId, at / size).catch(() => undefined))
  return {
    nodeIds,
    silence: (ids) => ids.forEach((id) => silent.add(id)),
    resume: (ids) => ids.forEach((id) => silent.delete(id)),
    async [Symbol.asyncDispose]() {
      stopped.abort()
      await Promise.all(beats)
    },
  }
}

/** Announcements of offline by the sweep, oldest first, with how long after the last beat each came. */
export const offlineVerdicts = async (
  { db }: Database,
  nodeIds: readonly string[],
): Promise<{ nodeId: string; at: Date; silentMs: number }[]> => {
  const { rows } = await sql<{ nodeId: string; at: Date; silentMs: number }>`
    select t.node_id as "nodeId", t.at, (extract(epoch from t.at - p.last_heartbeat_at) * 1000)::float8 as "silentMs"
    from runtime_node_transitions t join runtime_node_presence p using (node_id)
    where t.cause = 'sweep' and t.to_state = 'offline' and t.node_id = any(${[...nodeIds]}) order by t.id`.execute(db)
  return rows
}

/** The whole roster of a session, by node. */
export const rosterOf = async ({ url, owner }: NodeCaller, sessionId: string): Promise<Map<string, RosterNode>> => {
  const answer = await query(url, owner.token, 'runtimeNode.roster', { sessionId })
  if (answer.status !== 200) throw new Error(answer.text)
  return new Map((answer.data as { nodes: RosterNode[] }).nodes.map((node) => [node.nodeId, node]))
}
