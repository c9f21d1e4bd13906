import * as ascii from '../ascii.ts'
import { decodedInto } from './decode-into.ts'
import type { KeyedHash } from './hmac-sha256.ts'

const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** `~`, a length of up to 10 digits, `:` and 16 digits. */
const MOST_MARK_BYTES = 28
/** A short text that came before is not hashed again: fields and members repeat, and a line of a mixed load costs a fifth less. */
const CACHED_BYTES = 48
const CACHE_SLOTS = 1024

/** Writes a line with its marks into a buffer that grows and is used again. */
export class MarkWriter {
  bytes: Uint8Array = new Uint8Array(4096)
  size = 0
  readonly #hash: KeyedHash
  readonly #words = new Int32Array(2)
  #decoded = new Uint8Array(4096)
  readonly #cache = new Uint8Array(CACHE_SLOTS * CACHED_BYTES)
  readonly #cachedLength = new Int8Array(CACHE_SLOTS).fill(-1)
  readonly #cachedWords = new Int32Array(2 * CACHE_SLOTS)

  constructor(hash: KeyedHash) {
    this.#hash = hash
  }

  /** Starts a line. */
  clear(): void {
    this.size = 0
  }

  byte(byte: number): void {
    if (this.size === this.bytes.length) this.#reserve(1)
    this.bytes[this.size] = byte
    this.size += 1
  }

  copy(from: Uint8Array, start: number, end: number): void {
    if (this.size + end - start > this.bytes.length) this.#reserve(end - start)
    const { bytes, size } = this
    // Below this a loop is faster than making the view that `set` needs.
    if (end - start >= 32) bytes.set(from.subarray(start, end), size)
    else for (let pos = start; pos < end; pos += 1) bytes[size + pos - start] = from[pos]!
    this.size += end - start
  }

  /** Writes the mark of an argument's text: the length and the keyed hash of the bytes that it stands for. */
  mark(from: Uint8Array, start: number, end: number): void {
    const length = this.#hashDecoded(from, start, end)
    if (this.size + MOST_MARK_BYTES > this.bytes.length) this.#reserve(MOST_MARK_BYTES)
    this.#length(length)
    this.byte(ascii.COLON)
    this.#hex(this.#words[0]!)
    this.#hex(this.#words[1]!)
  }

  /** Writes a part of an argument's text in quotes; of nothing, nothing. */
  quoted(from: Uint8Array, start: number, end: number): void {
    if (start === end) return
    this.byte(ascii.QUOTE)
    this.copy(from, start, end)
    this.byte(ascii.QUOTE)
  }

  #length(length: number): void {
    this.byte(ascii.TILDE)
    let unit = 1
    while (unit * 10 <= length) unit *= 10
    for (; unit >= 1; unit /= 10) this.byte(48 + (Math.floor(length / unit) % 10))
  }

  #hex(word: number): void {
    const { bytes } = this
    for (let shift = 28; shift >= 0; shift -= 4) {
      bytes[this.size] = HEX[(word >>> shift) & 15]!
      this.size += 1
    }
  }

  #hashDecoded(from: Uint8Array, start: number, end: number): number {
    if (end - start > this.#decoded.length) this.#decoded = new Uint8Array(2 * (end - start))
    const length = decodedInto(from, start, end, this.#decoded)
    if (length < 0) {
      this.#hashCached(from, start, end)
      return end - start
    }
    if (length === end - start) this.#hashCached(from, start, end)
    else this.#hashCached(this.#decoded, 0, length)
    return length
  }

  #hashCached(from: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length > CACHED_BYTES) return this.#hash(from, start, end, this.#words)
    let sum = length
    for (let pos = start; pos < end; pos += 1) sum = Math.imul(sum ^ from[pos]!, 0x01000193)
    const slot = (sum ^ (sum >>> 15)) & (CACHE_SLOTS - 1)
    const at = slot * CACHED_BYTES
    const cache = this.#cache
    let same = 0
    if (this.#cachedLength[slot] === length) while (same < length && cache[at + same] === from[start + same]) same += 1
    else same = -1
    if (same === length) {
      this.#words[0] = this.#cachedWords[2 * slot]!
      this.#words[1] = this.#cachedWords[2 * slot + 1]!
      return
    }
    this.#hash(from, start, end, this.#words)
    for (let pos = 0; pos < length; pos += 1) cache[at + pos] = from[start + pos]!
    this.#cachedLength[slot] = length
    this.#cachedWords[2 * slot] = this.#words[0]!
    this.#cachedWords[2 * slot + 1] = this.#words[1]!
  }

  #reserve(more: number): void {
    if (this.size + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, this.size + more))
    grown.set(this.bytes.subarray(0, this.size))
    this.bytes = grown
  }
}
