import { createHash } from 'node:crypto'

/**
 * The first of the nodes by rendezvous ranking: every replica picks the same node for a target, and when a node leaves only
 * its own targets move.
 */
export const firstRanked = (targetId: string, nodeIds: readonly string[]): string | undefined =>
  nodeIds
    .map((nodeId) => ({ nodeId, rank: createHash('sha256').update(`${targetId}\0${nodeId}`).digest('hex') }))
    .toSorted((a, b) => (a.rank < b.rank ? -1 : 1))[0]?.nodeId
