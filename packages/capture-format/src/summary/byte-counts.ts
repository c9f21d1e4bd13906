export interface ByteCountsOptions {
  /** Texts that are told apart; all others are counted together. */
  most: number
  /** Bytes of the longest text that is told apart. */
  longest: number
  /** Whether `get` and `GET` are one text, kept as `GET`. @default false */
  foldsCase?: boolean
}

/** Counts texts by their bytes, in bounded memory; allocates nothing for a text that it has. */
export class ByteCounts {
  /** How often a text was counted that is not told apart. */
  other = 0
  readonly #most: number
  readonly #longest: number
  readonly #foldsCase: boolean
  readonly #mask: number
  /** For each place the number of its text plus one; 0 is free. */
  readonly #places: Int32Array
  readonly #hashes: Int32Array
  readonly #counts: Float64Array
  readonly #ends: Int32Array
  #pool = new Uint8Array(1024)
  #size = 0

  constructor({ most, longest, foldsCase = false }: ByteCountsOptions) {
    this.#most = most
    this.#longest = longest
    this.#foldsCase = foldsCase
    const places = 2 ** Math.ceil(Math.log2(2 * most))
    this.#mask = places - 1
    this.#places = new Int32Array(places)
    this.#hashes = new Int32Array(most)
    this.#counts = new Float64Array(most)
    this.#ends = new Int32Array(most)
  }

  /** Texts that are told apart. */
  get size(): number {
    return this.#size
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const id = this.#find(bytes, start, end)
    if (id < 0) this.other += 1
    else this.#counts[id]! += 1
  }

  /** Each text that is told apart, in the order of their first occurrence. */
  *entries(): Generator<{ text: Uint8Array; count: number }> {
    for (let id = 0; id < this.#size; id += 1) {
      yield { text: this.#pool.subarray(this.#startOf(id), this.#ends[id]), count: this.#counts[id]! }
    }
  }

  clear(): void {
    this.other = 0
    this.#size = 0
    this.#places.fill(0)
  }

  /** The text's number, a new one where it has none yet; -1 when it is too long or one too many. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > this.#longest) return -1
    const fold = this.#foldsCase
    let hash = end - start
    for (let pos = start; pos < end; pos += 1) {
      const byte = bytes[pos]!
      hash = Math.imul(hash ^ (fold && byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte), 0x01000193)
    }
    let place = (hash ^ (hash >>> 15)) & this.#mask
    for (; this.#places[place] !== 0; place = (place + 1) & this.#mask) {
      const id = this.#places[place]! - 1
      if (this.#hashes[id] === hash && this.#isText(id, bytes, start, end)) return id
    }
    if (this.#size === this.#most) return -1
    return this.#keep(place, hash, bytes.subarray(start, end))
  }

  // oxlint-disable-next-line max-params -- called for each line, so no options object is made for it
  #isText(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#startOf(id)
    if (this.#ends[id]! - from !== end - start) return false
    for (let index = 0; index < end - start; index += 1) {
      const byte = bytes[start + index]!
      const folded = this.#foldsCase && byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte
      if (this.#pool[from + index] !== folded) return false
    }
    return true
  }

  #keep(place: number, hash: number, text: Uint8Array): number {
    const id = this.#size
    const from = this.#startOf(id)
    const end = from + text.length
    if (end > this.#pool.length) {
      const grown = new Uint8Array(2 * end)
      grown.set(this.#pool.subarray(0, from))
      this.#pool = grown
    }
    this.#pool.set(text, from)
    if (this.#foldsCase) {
      for (let pos = from; pos < end; pos += 1) {
        const byte = this.#pool[pos]!
        if (byte >= 0x61 && byte <= 0x7a) this.#pool[pos] = byte - 0x20
      }
    }
    this.#places[place] = id + 1
    this.#hashes[id] = hash
    this.#counts[id] = 0
    this.#ends[id] = end
    this.#size += 1
    return id
  }

  #startOf(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!
  }
}
