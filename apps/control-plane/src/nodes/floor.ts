import { compareVersions, versionSchema } from '@sonde/contracts'

/**
 * What a session's floor means for a node: `open` may write, `below` is read-only, and the other two say which stored
 * text could not be read. Everything but `open` is read-only, so that a malformed text fails closed.
 */
export type FloorVerdict = 'open' | 'below' | 'floor_invalid' | 'version_malformed'

/** The verdict of two stored texts. They are parsed, never cast: a comparison that yields NaN would admit a writer. */
export const floorVerdict = (clientVersion: string, floor: string | null): FloorVerdict => {
  if (floor !== null && !versionSchema.safeParse(floor).success) return 'floor_invalid'
  if (!versionSchema.safeParse(clientVersion).success) return 'version_malformed'
  if (floor === null) return 'open'
  return compareVersions(clientVersion, floor) < 0 ? 'below' : 'open'
}

/** Whether the node may not make version-sensitive writes. Derived at each read, never stored (I-003-12). */
export const isReadOnly = (clientVersion: string, floor: string | null): boolean =>
  floorVerdict(clientVersion, floor) !== 'open'
