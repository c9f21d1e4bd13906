import * as ascii from '../ascii.ts'
import type { KeyPattern } from '@sonde/contracts'

const TOKEN_BYTES = 20

const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
const isWordByte = (byte: number): boolean => isLetter(byte) || ascii.isDigit(byte) || byte === 0x2d || byte === 0x5f
/** Of the part of an address before its `@`, as it is commonly written. */
const isLocalByte = (byte: number): boolean =>
  isWordByte(byte) || byte === ascii.DOT || byte === ascii.PLUS || byte === 0x25
const isDomainByte = (byte: number): boolean =>
  isLetter(byte) || ascii.isDigit(byte) || byte === 0x2d || byte === ascii.DOT

/**
 * Ranges of an argument's text that a pattern names, as pairs of offsets in `found`, in order, not overlapping; an escape is
 * never cut and never matches. One pass and a half: no text makes it slow.
 */
export class KeyPatterns {
  readonly found: number[] = []
  readonly #patterns: readonly KeyPattern[]

  constructor(patterns: readonly KeyPattern[]) {
    this.#patterns = patterns
  }

  /** Answers how many ranges were found. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const { found } = this
    found.length = 0
    if (this.#patterns.includes('email')) this.#emails(bytes, start, end)
    if (this.#patterns.includes('token')) this.#tokens(bytes, start, end)
    return found.length / 2
  }

  #emails(bytes: Uint8Array, start: number, end: number): void {
    let localStart = start
    for (let pos = start; pos < end; pos += 1) {
      const byte = bytes[pos]!
      if (byte === ascii.BACKSLASH) {
        pos += bytes[pos + 1] === ascii.LETTER_X ? 3 : 1
        localStart = pos + 1
      } else if (byte === 0x40) {
        let last = pos + 1
        while (last < end && isDomainByte(bytes[last]!)) last += 1
        if (localStart < pos && last > pos + 1) {
          this.found.push(localStart, last)
          pos = last - 1
        }
        localStart = pos + 1
      } else if (!isLocalByte(byte)) localStart = pos + 1
    }
  }

  #tokens(bytes: Uint8Array, start: number, end: number): void {
    const emails = this.found.splice(0)
    let email = 0
    for (let pos = start; pos < end;) {
      if (pos === emails[email]) {
        this.found.push(pos, emails[email + 1]!)
        pos = emails[email + 1]!
        email += 2
        continue
      }
      if (bytes[pos] === ascii.BACKSLASH) {
        pos += bytes[pos + 1] === ascii.LETTER_X ? 4 : 2
        continue
      }
      const limit = emails[email] ?? end
      let last = pos
      let letters = 0
      let digits = 0
      while (last < limit && isWordByte(bytes[last]!)) {
        if (isLetter(bytes[last]!)) letters += 1
        else if (ascii.isDigit(bytes[last])) digits += 1
        last += 1
      }
      if (last - pos >= TOKEN_BYTES && letters > 0 && digits > 0) this.found.push(pos, last)
      pos = Math.max(last, pos + 1)
    }
  }
}
