export interface TopCountsOptions {
  /** Texts that are kept when there are more than can be told apart. */
  keep: number
  /** Bytes of the longest text that is told apart. */
  longest: number
}

/** A text with what is known of it. It occurred `count` times at the most, and `count - error` at the least. */
export interface TopCount {
  text: Uint8Array
  count: number
  /** 0: the count is exact. */
  error: number
  /** Argument bytes of the lines that were counted, without those that `error` stands for. */
  bytes: number
}

/** A text as tables hold it: its count above their floor, and how often it occurred at the least. */
export interface TopRow {
  text: Uint8Array
  excess: number
  least: number
  bytes: number
}

/** Texts that are told apart for each that is kept: so a new one makes room once in so many, not each time. */
const ROOM = 4

/**
 * Counts texts by their bytes in bounded memory: Space-Saving, in batches. As long as there are no more than `keep`, every count is
 * exact and `floor` is 0. Beyond that the most frequent are kept; no other one occurred more than `floor` times, nor is any
 * count wrong by more. `floor` is at most `total / (keep + 1)`, however many such tables were merged into one, in whatever order.
 *
 * A text's `excess` is its count above `floor`, so merging adds the excess of both sides, and a text that one side does not have
 * needs no more. Making room lowers the excess of all by that of the first one that is not kept, and lifts the floor by it.
 */
export class TopCounts {
  /** All that was added, also what is not told apart. */
  total = 0
  /** No text that is not kept, and is not too long, occurred more often. */
  floor = 0
  /** Occurrences of texts too long to be told apart. */
  tooLong = 0
  readonly #keep: number
  readonly longest: number
  readonly #mask: number
  /** For each place the number of its text plus one; 0 is free. */
  readonly #places: Int32Array
  readonly #hashes: Int32Array
  readonly #excess: Float64Array
  readonly #least: Float64Array
  readonly #bytes: Float64Array
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  /** Room for making room. */
  readonly #sorted: Float64Array
  #pool = new Uint8Array(1024)
  #used = 0
  #size = 0

  constructor({ keep, longest }: TopCountsOptions) {
    const room = ROOM * keep
    this.#keep = keep
    this.longest = longest
    const places = 2 ** Math.ceil(Math.log2(2 * room))
    this.#mask = places - 1
    this.#places = new Int32Array(places)
    this.#hashes = new Int32Array(room)
    this.#excess = new Float64Array(room)
    this.#least = new Float64Array(room)
    this.#bytes = new Float64Array(room)
    this.#sorted = new Float64Array(room)
    this.#starts = new Int32Array(room)
    this.#lengths = new Int32Array(room)
  }

  /** Whether every text that occurred is there, with its exact count. */
  get isExact(): boolean {
    return this.floor === 0 && this.tooLong === 0
  }

  /** Counts one occurrence, in a line with so many argument bytes. */
  // oxlint-disable-next-line max-params -- called for each line
  add(text: Uint8Array, start: number, end: number, bytes: number): void {
    this.total += 1
    if (end - start > this.longest) this.tooLong += 1
    else this.#count(this.#find(text, start, end), 1, 1, bytes)
  }

  /** Takes what another table counted, of the same bounds. */
  merge(other: TopCounts): void {
    const rows = other.rows()
    this.mergeTotals(other)
    for (const row of rows) this.mergeRow(row)
  }

  /** The part of {@link merge} that is about no text by itself. */
  mergeTotals({ total, floor, tooLong }: { total: number; floor: number; tooLong: number }): void {
    this.total += total
    this.floor += floor
    this.tooLong += tooLong
  }

  /** The part of {@link merge} about one text. */
  mergeRow({ text, excess, least, bytes }: TopRow): void {
    this.#count(this.#find(text, 0, text.length), excess, least, bytes)
  }

  /** Leaves no more than are kept. */
  trim(): void {
    if (this.#size > this.#keep) this.#makeRoom()
  }

  /** How many are told apart. */
  get size(): number {
    return this.#size
  }

  /** What is kept, the most frequent first, those of one count by their bytes. The texts are good until the next change. */
  rows(): TopRow[] {
    this.trim()
    const all = Array.from({ length: this.#size }, (_, id): TopRow => ({
      text: this.#pool.subarray(this.#starts[id], this.#starts[id]! + this.#lengths[id]!),
      excess: this.#excess[id]!,
      least: this.#least[id]!,
      bytes: this.#bytes[id]!,
    }))
    return all.toSorted((a, b) => b.excess - a.excess || compareBytes(a.text, b.text))
  }

  /** As {@link rows}, as counts. */
  entries(): TopCount[] {
    return this.rows().map(({ text, excess, least, bytes }) => {
      const count = excess + this.floor
      return { text, count, error: count - least, bytes }
    })
  }

  // oxlint-disable-next-line max-params -- called for each line
  #count(id: number, excess: number, least: number, bytes: number): void {
    this.#excess[id]! += excess
    this.#least[id]! += least
    this.#bytes[id]! += bytes
  }

  #find(text: Uint8Array, start: number, end: number): number {
    let hash = end - start
    for (let pos = start; pos < end; pos += 1) hash = Math.imul(hash ^ text[pos]!, 0x01000193)
    let place = this.#placeOf(hash)
    for (; this.#places[place] !== 0; place = (place + 1) & this.#mask) {
      const id = this.#places[place]! - 1
      if (this.#hashes[id] === hash && this.#isText(id, text, start, end)) return id
    }
    if (this.#size === this.#hashes.length) {
      this.#makeRoom()
      place = this.#placeOf(hash)
      while (this.#places[place] !== 0) place = (place + 1) & this.#mask
    }
    const id = this.#size
    if (this.#used + end - start > this.#pool.length) {
      const grown = new Uint8Array(2 * (this.#used + end - start))
      grown.set(this.#pool.subarray(0, this.#used))
      this.#pool = grown
    }
    for (let pos = start; pos < end; pos += 1) this.#pool[this.#used + pos - start] = text[pos]!
    this.#places[place] = id + 1
    this.#hashes[id] = hash
    this.#excess[id] = 0
    this.#least[id] = 0
    this.#bytes[id] = 0
    this.#starts[id] = this.#used
    this.#lengths[id] = end - start
    this.#used += end - start
    this.#size += 1
    return id
  }

  #placeOf(hash: number): number {
    return (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 7) & this.#mask
  }

  // oxlint-disable-next-line max-params -- called for each line
  #isText(id: number, text: Uint8Array, start: number, end: number): boolean {
    if (this.#lengths[id] !== end - start) return false
    const from = this.#starts[id]! - start
    for (let pos = start; pos < end; pos += 1) if (this.#pool[from + pos] !== text[pos]) return false
    return true
  }

  #makeRoom(): void {
    const sorted = this.#sorted.subarray(0, this.#size)
    sorted.set(this.#excess.subarray(0, this.#size))
    // oxlint-disable-next-line unicorn/no-array-sort -- in place: a copy of 32 KiB for every 3,000 new keys is too much garbage
    sorted.sort()
    const cut = sorted[this.#size - this.#keep - 1]!
    this.floor += cut
    this.#places.fill(0)
    this.#used = 0
    let kept = 0
    for (let id = 0; id < this.#size; id += 1) {
      if (this.#excess[id]! <= cut) continue
      const start = this.#starts[id]!
      this.#pool.copyWithin(this.#used, start, start + this.#lengths[id]!)
      this.#hashes[kept] = this.#hashes[id]!
      this.#excess[kept] = this.#excess[id]! - cut
      this.#least[kept] = this.#least[id]!
      this.#bytes[kept] = this.#bytes[id]!
      this.#starts[kept] = this.#used
      this.#lengths[kept] = this.#lengths[id]!
      this.#used += this.#lengths[id]!
      kept += 1
      let place = this.#placeOf(this.#hashes[id]!)
      while (this.#places[place] !== 0) place = (place + 1) & this.#mask
      this.#places[place] = kept
    }
    this.#size = kept
  }
}

/** Order of byte strings, the shorter of two with the same beginning first. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length)
  for (let pos = 0; pos < length; pos += 1) if (a[pos] !== b[pos]) return a[pos]! - b[pos]!
  return a.length - b.length
}
