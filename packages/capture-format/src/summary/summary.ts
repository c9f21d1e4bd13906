import type { KeySet } from './key-set.ts'

/** What is known of the lines of one chunk without reading them. Texts are bytes read as Latin-1. */
export interface ChunkSummary {
  lines: number
  /** Earliest and latest time of its lines in microseconds; -1 when none has one. */
  firstEventUs: number
  lastEventUs: number
  /** Lines without a time. */
  untimed: number
  /** Lines with an argument that is masked. */
  masked: number
  /** Lines that are no MONITOR line; cut ones are not among them. */
  errors: number
  /** Lines that have a key that can be read. */
  keyed: number
  /** Lines of each verb, in upper case. */
  verbs: ReadonlyMap<string, number>
  /** Lines of verbs that are not told apart. */
  otherVerbs: number
  /** Every client address as it is printed; null when there are too many. */
  clients: readonly string[] | null
  /** Every db as it is printed, an empty text where it is left out; null when there are too many. */
  dbs: readonly string[] | null
  /** One bit for each 64 slots: some key is in one of them. */
  slots: Uint8Array
  /** Null when there are too many. */
  keys: KeySet | null
}

/** Bytes of {@link ChunkSummary.slots}. */
export const SLOT_BYTES = 32
/** Slots that share a bit. */
export const SLOTS_OF_BIT = 64
/** How many texts a summary tells apart, and how long they may be in bytes. */
export const SUMMARY_TEXTS = {
  verbs: { most: 64, longest: 32 },
  clients: { most: 16, longest: 64 },
  dbs: { most: 16, longest: 64 },
} as const
