import { Liveness, type LivenessSettings, type ReportedHealth } from '@sonde/contracts'

/** What liveness is derived from. */
export interface LivenessFacts {
  /**
   * Milliseconds of the database's clock since the last beat, or since the service last became able to hear beats,
   * whichever is later; null when the attachment never beat.
   */
  ageMs: number | null
  /** What the daemon last said about itself; null when the attachment never beat. */
  reported: ReportedHealth | null
  /** Whether the slot is offline or revoked. */
  ended: boolean
}

/**
 * The worst of age and report: offline when the slot has ended or nothing was heard for more than `offlineAfterMs`,
 * degraded after more than `degradedAfterMs`, else as reported. Exactly the limit still counts as the better one. Null
 * is unknown, which is not offline.
 */
export const livenessOf = (
  facts: LivenessFacts,
  settings: Pick<LivenessSettings, 'degradedAfterMs' | 'offlineAfterMs'>,
): Liveness | null => {
  if (facts.ended) return Liveness.offline
  if (facts.ageMs === null || facts.reported === null) return null
  if (facts.ageMs > settings.offlineAfterMs) return Liveness.offline
  if (facts.ageMs > settings.degradedAfterMs) return Liveness.degraded
  return facts.reported
}
