import * as ascii from '../ascii.ts'
import { latin1Encode } from '../latin1.ts'
import type { ByteWriter } from '../byte-writer.ts'

/** A pattern that comes so far goes no further, but for one placeholder. */
const MOST_BYTES = 128
/** Shorter runs of hex digits are words and numbers, like `1a` and `ed25519`. */
const LEAST_HEX = 8
/** Shorter runs of letters and digits are names, like `oauth2`. */
const LEAST_ID = 16

const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d
const DASH = 0x2d
const UUID_PARTS = [8, 4, 4, 4, 12]

const placeholder = (name: string): Uint8Array => latin1Encode(`{${name}}`)
const NUMBER = placeholder('n')
const UUID = placeholder('uuid')
const HEX = placeholder('hex')
const ID = placeholder('id')
const TAG = placeholder('tag')
const BINARY = placeholder('bin')
const MORE = placeholder('more')
/** Stands for what a policy hides of a key. */
export const MASKED: Uint8Array = placeholder('masked')

const PLACEHOLDERS = [NUMBER, UUID, HEX, ID, TAG, BINARY, MORE, MASKED]

const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
const isAlnum = (byte: number | undefined): boolean => byte !== undefined && (ascii.isDigit(byte) || isLetter(byte))
const isHexDigit = (byte: number): boolean => ascii.isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)

/**
 * Writes the pattern of a key: what tells one key from the next of its kind is replaced. The contents of a hash tag become `{tag}`; a
 * UUID `{uuid}`; a run of letters and digits `{hex}` when it is 8 or more hex digits, `{id}` when it is 16 or longer, with a
 * digit at least; any other row of digits `{n}`; a part between colons that is not all printable ASCII `{bin}`; what is beyond
 * 128 bytes `{more}`. A pattern is its own pattern.
 */
export class KeyPatternWriter {
  #bytes: Uint8Array = new Uint8Array(0)
  #end = 0
  #out!: ByteWriter

  write(out: ByteWriter, bytes: Uint8Array, { start, end }: { start: number; end: number }): void {
    this.#bytes = bytes
    this.#end = end
    this.#out = out
    const limit = out.length + MOST_BYTES
    let checked = start
    for (let pos = start; pos < end;) {
      if (out.length >= limit) return out.all(MORE)
      if (pos >= checked) {
        checked = this.#printableEnd(pos)
        if (checked < 0) {
          out.all(BINARY)
          pos = checked = this.#partEnd(pos)
          continue
        }
      }
      const byte = bytes[pos]!
      if (byte === BRACE_OPEN) pos = this.#braces(pos)
      else if (isAlnum(byte)) pos = this.#run(pos, limit)
      else {
        out.push(byte)
        pos += 1
      }
      if (pos < 0) return
    }
  }

  /** The end of a part between colons, which itself is one of its bytes when it is a colon. */
  #partEnd(start: number): number {
    let pos = start
    while (pos < this.#end && this.#bytes[pos] !== ascii.COLON) pos += 1
    return pos
  }

  /** The offset behind the part and its colon; -1 where it holds a byte that is not printable. */
  #printableEnd(start: number): number {
    const end = this.#partEnd(start)
    for (let pos = start; pos < end; pos += 1) {
      const byte = this.#bytes[pos]!
      if (byte < ascii.SPACE || byte >= 0x7f) return -1
    }
    return end + 1
  }

  /** Of a hash tag or a placeholder the offset behind it; -1 behind the one after which nothing follows. */
  #braces(start: number): number {
    const bytes = this.#bytes
    let pos = start + 1
    while (pos < this.#end && bytes[pos] !== BRACE_OPEN && bytes[pos] !== BRACE_CLOSE) pos += 1
    if (pos === this.#end || bytes[pos] === BRACE_OPEN || pos === start + 1) {
      this.#out.push(BRACE_OPEN)
      return start + 1
    }
    const found = PLACEHOLDERS.find(
      (each) => each.length === pos + 1 - start && each.every((byte, at) => bytes[start + at] === byte),
    )
    this.#out.all(found ?? TAG)
    return found === MORE ? -1 : pos + 1
  }

  /** The offset behind a run of letters and digits, or behind what of it stands before the limit. */
  #run(start: number, limit: number): number {
    const bytes = this.#bytes
    let digits = 0
    let isHex = true
    let end = start
    for (; end < this.#end && isAlnum(bytes[end]); end += 1) {
      if (ascii.isDigit(bytes[end])) digits += 1
      else if (isHex) isHex = isHexDigit(bytes[end]!)
    }
    const uuidEnd = isHex && end - start === UUID_PARTS[0] ? this.#uuidEnd(start) : -1
    if (uuidEnd >= 0) {
      this.#out.all(UUID)
      return uuidEnd
    }
    if (digits === 0) {
      const last = Math.min(end, start + limit - this.#out.length)
      this.#out.copy(bytes, start, last)
      return last
    }
    if (digits < end - start && isHex && end - start >= LEAST_HEX) this.#out.all(HEX)
    else if (digits < end - start && end - start >= LEAST_ID) this.#out.all(ID)
    else return this.#words(start, end, limit)
    return end
  }

  /** A run's letters as they are, each row of its digits as one number, up to the limit. */
  #words(start: number, end: number, limit: number): number {
    let pos = start
    while (pos < end && this.#out.length < limit) {
      const byte = this.#bytes[pos]!
      pos += 1
      if (!ascii.isDigit(byte)) this.#out.push(byte)
      else {
        this.#out.all(NUMBER)
        while (pos < end && ascii.isDigit(this.#bytes[pos])) pos += 1
      }
    }
    return pos
  }

  /** The end of a UUID with a digit, and so no word of a pattern; -1 where there is none. */
  #uuidEnd(start: number): number {
    const bytes = this.#bytes
    let pos = start
    let hasDigit = false
    for (const [index, length] of UUID_PARTS.entries()) {
      if (index > 0) {
        if (pos >= this.#end || bytes[pos] !== DASH) return -1
        pos += 1
      }
      for (const end = pos + length; pos < end; pos += 1) {
        if (pos >= this.#end || !isHexDigit(bytes[pos]!)) return -1
        if (ascii.isDigit(bytes[pos])) hasDigit = true
      }
    }
    return hasDigit && !(pos < this.#end && isAlnum(bytes[pos])) ? pos : -1
  }
}
