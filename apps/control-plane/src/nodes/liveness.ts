import { Liveness, type LivenessSettings, type ReportedHealth } from '@sonde/contracts'

/** What liveness is derived from. Times in milliseconds of the database's clock. */
export interface LivenessFacts {
  /**
   * Since the last beat, or since the service last became able to hear beats, whichever is later; null when the attachment
   * never beat.
   */
  ageMs: number | null
  /** Since the sweep ran last, which is when it was last known that beats are heard; null when it never ran. */
  deafMs: number | null
  /** What the daemon last said about itself; null when the attachment never beat. */
  reported: ReportedHealth | null
  /** Whether the slot is offline or revoked. */
  ended: boolean
  /** Whether so many nodes are silent that the verdict offline is withheld. */
  held: boolean
}

type Limits = Pick<LivenessSettings, 'degradedAfterMs' | 'offlineAfterMs'>

/**
 * The age that counts. While the sweep has not run for `degradedAfterMs` no beat is old: none can have been heard in that
 * time, and the next sweep will count from its own moment.
 */
const ageOf = ({ ageMs, deafMs }: Pick<LivenessFacts, 'ageMs' | 'deafMs'>, { degradedAfterMs }: Limits) =>
  ageMs !== null && deafMs !== null && deafMs > degradedAfterMs ? 0 : ageMs

/**
 * The worst of age and report: offline when the slot has ended or nothing was heard for more than `offlineAfterMs`,
 * degraded after more than `degradedAfterMs`, else as reported. Exactly the limit still counts as the better one. Null
 * is unknown, which is not offline: never heard, or held.
 */
export const livenessOf = (facts: LivenessFacts, settings: Limits): Liveness | null => {
  if (facts.ended) return Liveness.offline
  const age = ageOf(facts, settings)
  if (age === null || facts.reported === null) return null
  if (age > settings.offlineAfterMs) return facts.held ? null : Liveness.offline
  return age > settings.degradedAfterMs ? Liveness.degraded : facts.reported
}

/** Whether an active slot would be offline if the verdict were not withheld. */
export const livenessHeld = (facts: LivenessFacts, settings: Limits): boolean => {
  const age = ageOf(facts, settings)
  return facts.held && !facts.ended && age !== null && age > settings.offlineAfterMs
}
