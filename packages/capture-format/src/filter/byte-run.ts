/**
 * A run of byte sets of a fixed length, such as `us[e3]r:` of a pattern. For each byte it holds one bit a place: is the
 * byte allowed there. A search keeps one bit for each place that can have been reached and moves all of them at once
 * (shift-and): each byte of the text costs one step for 32 places, and none is looked at twice.
 */
export class ByteRun {
  readonly length: number
  readonly #words: number
  /** The bits of byte `b` are the words from `b * #words`. */
  readonly #allowed: Int32Array
  readonly #reached: Int32Array

  /** @param sets for each place, 256 flags */
  constructor(sets: readonly Uint8Array[]) {
    this.length = sets.length
    this.#words = Math.max(1, Math.ceil(sets.length / 32))
    this.#allowed = new Int32Array(256 * this.#words)
    this.#reached = new Int32Array(this.#words)
    for (const [place, set] of sets.entries()) {
      for (let byte = 0; byte < 256; byte += 1) {
        if (set[byte] === 1) this.#allowed[byte * this.#words + (place >>> 5)]! |= 1 << place
      }
    }
  }

  /** Whether the run is at `start`; the caller knows that there are `length` bytes. */
  isAt(bytes: Uint8Array, start: number): boolean {
    for (let place = 0; place < this.length; place += 1) {
      const word = this.#allowed[bytes[start + place]! * this.#words + (place >>> 5)]!
      if ((word & (1 << place)) === 0) return false
    }
    return true
  }

  /** The offset behind the first place where the run is, or -1. */
  endOfFirst(bytes: Uint8Array, start: number, end: number): number {
    if (this.length === 0) return start
    return this.#words === 1 ? this.#findShort(bytes, start, end) : this.#findLong(bytes, start, end)
  }

  #findShort(bytes: Uint8Array, start: number, end: number): number {
    const allowed = this.#allowed
    const last = 1 << (this.length - 1)
    let reached = 0
    for (let pos = start; pos < end; pos += 1) {
      reached = ((reached << 1) | 1) & allowed[bytes[pos]!]!
      if ((reached & last) !== 0) return pos + 1
    }
    return -1
  }

  #findLong(bytes: Uint8Array, start: number, end: number): number {
    const words = this.#words
    const reached = this.#reached.fill(0)
    const last = 1 << (this.length - 1)
    for (let pos = start; pos < end; pos += 1) {
      const first = bytes[pos]! * words
      let carry = 1
      for (let word = 0; word < words; word += 1) {
        const before = reached[word]!
        reached[word] = ((before << 1) | carry) & this.#allowed[first + word]!
        carry = before >>> 31
      }
      if ((reached[words - 1]! & last) !== 0) return pos + 1
    }
    return -1
  }
}
