/** Bytes that are written one after another into a buffer that is used again. */
export class ByteWriter {
  bytes: Uint8Array = new Uint8Array(512)
  length = 0

  push(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1)
    this.bytes[this.length] = byte
    this.length += 1
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start
    if (length > this.bytes.length) this.#grow(length)
    for (let pos = start; pos < end; pos += 1) this.bytes[this.length + pos - start] = bytes[pos]!
    this.length = length
  }

  all(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length)
  }

  /** A whole number from 0 in base 128, the lowest digits first. Divides, because bit operators stop at 32 bits. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('only whole numbers from 0 can be written')
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.push((rest % 128) + 128)
    this.push(rest)
  }

  #grow(least: number): void {
    const grown = new Uint8Array(2 * least)
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
