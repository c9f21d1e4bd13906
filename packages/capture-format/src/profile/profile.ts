import { TimeCounts } from './time-counts.ts'
import { TopCounts } from './top-counts.ts'

/** What the tables of a profile keep, and the longest of their texts in bytes. */
export const PROFILE_TABLES = {
  shapes: { keep: 1024, longest: 448 },
  verbs: { keep: 256, longest: 65 },
  clients: { keep: 256, longest: 64 },
  dbs: { keep: 64, longest: 64 },
  prefixes: { keep: 512, longest: 64 },
  keys: { keep: 2048, longest: 256 },
} as const
export type ProfileTable = keyof typeof PROFILE_TABLES
export const TABLE_NAMES = Object.keys(PROFILE_TABLES) as ProfileTable[]

/** What a profile counts one by one; all of them merge by adding. */
export const PROFILE_COUNTS = [
  'lines',
  'bytes',
  'argumentBytes',
  'untimed',
  'masked',
  'malformed',
  'cut',
  'keyed',
  'maskedKeys',
] as const

/** Slots that share a count, and how many counts that makes. */
export const SLOTS_OF_COUNT = 64
export const SLOT_COUNTS = 16_384 / SLOTS_OF_COUNT

/**
 * What lines do, without the lines: enough to compare captures by. Profiles merge; all of a merged one is exact but for what its
 * tables do not keep, which they say. A new one, of no lines, has about 2 MB of tables.
 */
export class Profile {
  lines = 0
  /** Of the lines, each with its LF. */
  bytes = 0
  /** Of the arguments as the client sent them, the verb among them; a masked one counts as long as it was. */
  argumentBytes = 0
  untimed = 0
  /** Lines with a masked argument. */
  masked = 0
  /** Lines that are no MONITOR line: in no table. */
  malformed = 0
  /** Lines longer than their limit. */
  cut = 0
  /** Lines with a key. */
  keyed = 0
  /** Occurrences of keys that are masked, in whole or in part. */
  maskedKeys = 0
  /** Earliest and latest time in microseconds; -1 when no line has one. */
  firstEventUs = -1
  lastEventUs = -1
  readonly time = new TimeCounts()
  /** Keys in each 64 slots, for keys that are not masked. */
  readonly slots: Float64Array = new Float64Array(SLOT_COUNTS)
  readonly shapes = new TopCounts(PROFILE_TABLES.shapes)
  readonly verbs = new TopCounts(PROFILE_TABLES.verbs)
  /** Addresses without ports. */
  readonly clients = new TopCounts(PROFILE_TABLES.clients)
  readonly dbs = new TopCounts(PROFILE_TABLES.dbs)
  /** Keys up to their first colon, which is the last byte; empty for a key without one. */
  readonly prefixes = new TopCounts(PROFILE_TABLES.prefixes)
  /** As {@link tableKey} writes them. */
  readonly keys = new TopCounts(PROFILE_TABLES.keys)

  /** Takes what another one counted. */
  merge(other: Profile): void {
    for (const name of PROFILE_COUNTS) this[name] += other[name]
    this.mergeTimes(other)
    this.time.merge(other.time)
    for (let index = 0; index < SLOT_COUNTS; index += 1) this.slots[index]! += other.slots[index]!
    for (const name of TABLE_NAMES) this[name].merge(other[name])
  }

  /** Takes the first and last time of other lines. */
  mergeTimes({ firstEventUs, lastEventUs }: { firstEventUs: number; lastEventUs: number }): void {
    if (firstEventUs >= 0 && (this.firstEventUs < 0 || firstEventUs < this.firstEventUs))
      this.firstEventUs = firstEventUs
    this.lastEventUs = Math.max(this.lastEventUs, lastEventUs)
  }
}
