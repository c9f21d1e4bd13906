import { COLON } from '../ascii.ts'
import { hashSlot } from '../hash-slot.ts'

const SEED = 0x811c9dc5 | 0
const PRIME = 0x01000193

/** Bytes of the filter at the most: with verbs and clients a summary then stays below 2 KiB. */
const MAX_BYTES = 1408
const BITS_OF_ENTRY = 10
/** Beyond so many the filter would be full whatever its bits. */
const MAX_ENTRIES = 32_768
const PLACES = 2 * MAX_ENTRIES
/** Keys that are remembered by their place. */
const SEEN = 4096

/** Which keys a chunk has, as a bloom filter: it may say yes for a key that is not there, never no for one that is. */
export interface KeySet {
  /** Bits that each entry sets. */
  hashes: number
  bits: Uint8Array
}

/** The parts of a key that can be asked for: up to its first colon, up to its second one, and the whole. */
const Part = { first: 1, second: 2, whole: 3 } as const

const finish = (hash: number, part: number): number => {
  let mixed = Math.imul(hash ^ (part * 0x9e3779b1), 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Collects the keys of one chunk; used again for the next one. */
export class KeySetBuilder {
  #lines: Uint8Array = new Uint8Array(0)
  /** Start and end in the lines of keys that were added, by their hash: the same key again needs no more than a comparison. */
  readonly #seen = new Int32Array(2 * SEEN)
  readonly #places = new Uint32Array(PLACES)
  readonly #entries = new Uint32Array(MAX_ENTRIES)
  #size = 0
  #isFull = false

  /** Begins with the keys of other lines. */
  begin(lines: Uint8Array): void {
    this.#lines = lines
    this.#seen.fill(0)
    this.#places.fill(0)
    this.#size = 0
    this.#isFull = false
  }

  /** Adds a key and answers its slot, or -1 where the same key has been added before. */
  add(bytes: Uint8Array, start: number, end: number): number {
    let hash = SEED
    let first = 0
    let second = 0
    let colons = 0
    for (let pos = start; pos < end; pos += 1) {
      const byte = bytes[pos]!
      hash = Math.imul(hash ^ byte, PRIME)
      if (byte !== COLON || colons === 2) continue
      colons += 1
      if (colons === 1) first = hash
      else second = hash
    }
    const whole = finish(hash, Part.whole)
    // Keys with escapes are decoded elsewhere, and their place is used again.
    if (bytes === this.#lines && this.#isSeen(whole & (SEEN - 1), start, end)) return -1
    if (colons > 0) this.#keep(finish(first, Part.first))
    if (colons > 1) this.#keep(finish(second, Part.second))
    this.#keep(whole)
    return hashSlot(bytes, start, end)
  }

  #isSeen(place: number, start: number, end: number): boolean {
    const lines = this.#lines
    const from = this.#seen[2 * place]!
    const length = end - start
    if (length === 0 || this.#seen[2 * place + 1]! - from !== length) {
      this.#seen[2 * place] = start
      this.#seen[2 * place + 1] = end
      return false
    }
    for (let index = 0; index < length; index += 1) {
      if (lines[from + index] === lines[start + index]) continue
      this.#seen[2 * place] = start
      this.#seen[2 * place + 1] = end
      return false
    }
    return true
  }

  /** The set of what was added, or null where that is too much to be told apart. */
  build(): KeySet | null {
    if (this.#isFull) return null
    const bytes = Math.min(MAX_BYTES, Math.ceil((this.#size * BITS_OF_ENTRY) / 8) + 1)
    const bits = new Uint8Array(bytes)
    const hashes = Math.max(1, Math.min(7, Math.round((0.69 * bytes * 8) / Math.max(1, this.#size))))
    const set = { hashes, bits }
    for (let index = 0; index < this.#size; index += 1) setBits(set, this.#entries[index]!)
    return set
  }

  #keep(entry: number): void {
    // 0 marks a free place.
    const value = entry || 1
    let place = value & (PLACES - 1)
    for (; this.#places[place] !== 0; place = (place + 1) & (PLACES - 1)) if (this.#places[place] === value) return
    if (this.#size === MAX_ENTRIES) this.#isFull = true
    if (this.#isFull) return
    this.#places[place] = value
    this.#entries[this.#size] = value
    this.#size += 1
  }
}

/** The bits of an entry: its low half, and so many steps of its high half, scaled to the filter. Small integers only. */
const setBits = ({ bits, hashes }: KeySet, entry: number): void => {
  const size = bits.length * 8
  const step = (entry >>> 16) | 1
  for (let index = 0, at = entry & 0xffff; index < hashes; index += 1, at = (at + step) & 0xffff) {
    const bit = (at * size) >>> 16
    bits[bit >>> 3]! |= 1 << (bit & 7)
  }
}

const hasEntry = (set: KeySet, value: number): boolean => {
  const size = set.bits.length * 8
  const entry = value || 1
  const step = (entry >>> 16) | 1
  for (let index = 0, at = entry & 0xffff; index < set.hashes; index += 1, at = (at + step) & 0xffff) {
    const bit = (at * size) >>> 16
    if ((set.bits[bit >>> 3]! & (1 << (bit & 7))) === 0) return false
  }
  return true
}

/** Whether a key may be there that begins with `head`, or is `head` where `isWhole`. */
export const mayHaveKey = (set: KeySet, head: Uint8Array, isWhole: boolean): boolean => {
  let hash = SEED
  let colons = 0
  for (const byte of head) {
    hash = Math.imul(hash ^ byte, PRIME)
    if (byte !== COLON || colons === 2) continue
    colons += 1
    if (!hasEntry(set, finish(hash, colons))) return false
  }
  return !isWhole || hasEntry(set, finish(hash, Part.whole))
}
