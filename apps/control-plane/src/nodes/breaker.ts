import type { BreakerSettings } from '@sonde/contracts'

/**
 * Nodes that share a way to fail: the whole fleet, those whose beats one replica takes (`null`: none has taken any), and
 * those of one client version.
 */
export type FleetGroup =
  | { kind: 'fleet' }
  | { kind: 'replica'; replicaId: string | null }
  | { kind: 'version'; version: string }

/** How many of a group's live nodes have been silent past the first limit, and are therefore on their way to offline. */
export interface GroupCount {
  group: FleetGroup
  live: number
  silent: number
}

/**
 * The groups in which so many are silent that a fault between them and us is likelier than their death. Counted from the
 * first limit on, not the last: the beats of a fleet are spread over a whole period, so nodes that are cut off together
 * cross the last limit a few at a time and no single sweep would see many.
 */
export const massSilence = (counts: readonly GroupCount[], settings: BreakerSettings): FleetGroup[] =>
  counts
    .filter(({ live, silent }) => silent >= settings.nodes && silent > settings.share * live)
    .map(({ group }) => group)
