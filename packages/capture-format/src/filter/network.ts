import { BRACKET_CLOSE, BRACKET_OPEN, COLON, DOT, isDigit } from '../ascii.ts'
import { latin1Encode } from '../latin1.ts'

const PERCENT = 0x25

const hexValue = (byte: number): number => {
  if (isDigit(byte)) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** An address in 16 bytes, one of version 4 as `::ffff:1.2.3.4`; used again for each line. */
class Address {
  readonly bytes = new Uint8Array(16)

  /** Reads an address without its port; false when it is none. */
  read(text: Uint8Array, start: number, end: number): boolean {
    this.bytes.fill(0)
    if (this.#readV6(text, start, end)) return true
    this.bytes.fill(0).fill(0xff, 10, 12)
    return this.#readV4(text, { start, end, at: 12 })
  }

  #readV4(text: Uint8Array, { start, end, at }: { start: number; end: number; at: number }): boolean {
    let pos = start
    for (let part = 0; part < 4; part += 1) {
      if (part > 0) {
        if (pos === end || text[pos] !== DOT) return false
        pos += 1
      }
      let value = 0
      const first = pos
      for (; pos < end && pos < first + 3 && isDigit(text[pos]); pos += 1) value = value * 10 + text[pos]! - 0x30
      if (pos === first || value > 255) return false
      this.bytes[at + part] = value
    }
    return pos === end
  }

  #readV6(text: Uint8Array, start: number, end: number): boolean {
    const out = this.bytes
    let groups = 0
    let gap = -1
    let pos = start
    while (pos < end) {
      if (text[pos] === COLON && text[pos + 1] === COLON && pos + 1 < end) {
        if (gap >= 0) return false
        gap = groups
        pos += 2
        continue
      }
      const first = pos
      let value = 0
      for (; pos < end && pos < first + 4 && hexValue(text[pos]!) >= 0; pos += 1)
        value = value * 16 + hexValue(text[pos]!)
      if (pos < end && text[pos] === DOT) {
        if (groups > 6 || groups === 0 || !this.#readV4(text, { start: first, end, at: 2 * groups })) return false
        groups += 2
        break
      }
      if (pos === first || groups === 8) return false
      out[2 * groups] = value >> 8
      out[2 * groups + 1] = value & 0xff
      groups += 1
      if (pos === end || text[pos] === PERCENT) break
      if (text[pos] !== COLON || pos + 1 === end) return false
      if (text[pos + 1] !== COLON) pos += 1
    }
    if (gap < 0) return groups === 8
    if (groups === 8) return false
    const moved = 2 * (groups - gap)
    out.copyWithin(16 - moved, 2 * gap, 2 * groups)
    out.fill(0, 2 * gap, 16 - moved)
    return true
  }
}

const CIDR = /^([0-9a-f.:]+)\/(\d{1,3})$/i

/** A network such as `10.0.0.0/8` or `fd00::/8`; bits behind the prefix are ignored. */
export class Network {
  readonly #bytes: Uint8Array
  readonly #bits: number
  readonly #address = new Address()

  private constructor(bytes: Uint8Array, bits: number) {
    this.#bytes = bytes
    this.#bits = bits
  }

  /** Null when the text is no network. */
  static parse(cidr: string): Network | null {
    const [, address = '', prefix = ''] = CIDR.exec(cidr) ?? []
    const parsed = new Address()
    if (!parsed.read(latin1Encode(address), 0, address.length)) return null
    const bits = Number(prefix) + (address.includes(':') ? 0 : 96)
    return bits > 128 ? null : new Network(parsed.bytes, bits)
  }

  /** Whether an origin as the server prints it, `1.2.3.4:50000` or `[::1]:50000`, lies in the network. */
  hasOrigin(bytes: Uint8Array, start: number, end: number): boolean {
    let last = end - 1
    while (last > start && bytes[last] !== COLON) last -= 1
    if (last <= start || last < end - 6) return false
    const isBracketed = bytes[start] === BRACKET_OPEN && bytes[last - 1] === BRACKET_CLOSE
    const isRead = isBracketed ? this.#address.read(bytes, start + 1, last - 1) : this.#address.read(bytes, start, last)
    return isRead && this.#hasAddress()
  }

  #hasAddress(): boolean {
    const whole = this.#bits >> 3
    const address = this.#address.bytes
    for (let index = 0; index < whole; index += 1) if (address[index] !== this.#bytes[index]) return false
    const rest = this.#bits & 7
    return rest === 0 || (address[whole]! ^ this.#bytes[whole]!) >> (8 - rest) === 0
  }
}
