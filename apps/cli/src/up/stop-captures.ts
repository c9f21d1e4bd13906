import { setTimeout as sleep } from 'node:timers/promises'
import type { Capture } from '@sonde/contracts'
import type { Connection } from '../core/connect.ts'

const WAIT_MS = 3_000
const LIMIT_MS = 5_000

/**
 * Ends the running captures that no other node than these takes part in, before the nodes are stopped: they are then completed
 * and whole, not failed. Takes 5 s at most and never throws, since what it does not reach ends all the same.
 */
export const stopCaptures = async (options: {
  connection: Connection
  sessionId: string
  nodeIds: ReadonlySet<string>
}): Promise<void> => {
  const { connection, sessionId, nodeIds } = options
  const isOwn = ({ segments }: Capture): boolean =>
    segments.every(({ nodeId }) => nodeId === null || nodeIds.has(nodeId))
  const stopOne = async (id: string): Promise<void> => {
    const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
    if (isOwn(capture)) await connection.call((rpc) => rpc.captures.stop.mutate({ id, waitMs: WAIT_MS }))
  }
  const stopAll = async (): Promise<void> => {
    const running = { sessionId, status: ['running' as const] }
    const { captures } = await connection.call((rpc) => rpc.captures.list.query(running))
    await Promise.all(captures.map(({ id }) => stopOne(id)))
  }
  await Promise.race([stopAll().catch(() => undefined), sleep(LIMIT_MS, undefined, { ref: false })])
}
