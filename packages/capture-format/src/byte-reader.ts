/** Reads what a `ByteWriter` has written; throws what `malformed` makes of the words for anything else. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #malformed: (what: string) => Error
  #pos = 0

  constructor(bytes: Uint8Array, malformed: (what: string) => Error) {
    this.#bytes = bytes
    this.#malformed = malformed
  }

  get isAtEnd(): boolean {
    return this.#pos === this.#bytes.length
  }

  /** A whole number from 0 to `max`. `name` is what an error says that it is. */
  number(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#bytes[this.#pos]
      if (byte === undefined) throw this.#malformed(`it ends in ${name}`)
      this.#pos += 1
      value += (byte % 128) * unit
      // Digits of 0 without end would make the unit infinite, and the value no number.
      if (value > max || unit > Number.MAX_SAFE_INTEGER) throw this.#malformed(`${name} is out of range`)
      if (byte < 128) return value
    }
  }

  /** So many bytes, not copied. */
  bytes(name: string, length: number): Uint8Array {
    if (this.#pos + length > this.#bytes.length) throw this.#malformed(`it ends in ${name}`)
    this.#pos += length
    return this.#bytes.subarray(this.#pos - length, this.#pos)
  }
}
