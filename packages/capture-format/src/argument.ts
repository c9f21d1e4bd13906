import * as ascii from './ascii.ts'
import type { MonitorLine } from './monitor-line.ts'

/** Writes what {@link decodeArgument} answers into `out`, which has room for the range; answers how many bytes. */
export const decodeArgumentInto = (
  out: Uint8Array,
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
): number => {
  let length = 0
  for (let pos = start; pos < end; pos += 1) {
    let byte = bytes[pos]!
    if (byte === ascii.BACKSLASH) {
      const letter = bytes[pos + 1]!
      const isHex = letter === ascii.LETTER_X
      const high = ascii.HEX_VALUES[bytes[pos + 2]!] ?? 255
      const low = ascii.HEX_VALUES[bytes[pos + 3]!] ?? 255
      byte = isHex ? (high << 4) | low : ascii.SHORT_ESCAPES[letter]!
      pos += isHex ? 3 : 1
      if (pos >= end || (isHex ? (high | low) === 255 : byte === 0)) throw new RangeError('not an argument of a line')
    }
    out[length] = byte
    length += 1
  }
  return length
}

/**
 * The bytes that an argument's text stands for: a copy. The range is one that a parse without error gave; any other text
 * with a bad escape throws a RangeError.
 */
export const decodeArgument = (bytes: Uint8Array, start: number, end: number): Uint8Array => {
  const out = new Uint8Array(end - start)
  const length = decodeArgumentInto(out, bytes, { start, end })
  return length === out.length ? out : out.slice(0, length)
}

/** All arguments of a line that was parsed without error, the verb first; null where one is masked. */
export const decodeArguments = (line: MonitorLine): (Uint8Array | null)[] => {
  const out: (Uint8Array | null)[] = []
  for (let index = 0; index < line.argc; index += 1) {
    const start = line.ranges[2 * index]!
    const end = line.ranges[2 * index + 1]!
    out.push(line.isMasked(index) ? null : decodeArgument(line.bytes, start, end))
  }
  return out
}

/** How a server writes each byte in an argument: `sdscatrepr`, whose eight escapes are the only ones. */
const WRITTEN: readonly Uint8Array[] = Array.from({ length: 256 }, (_, byte) => {
  const short = ascii.SHORT_ESCAPES.indexOf(byte)
  if (byte !== 0 && short >= 0) return Uint8Array.of(ascii.BACKSLASH, short)
  if (byte >= 0x20 && byte <= 0x7e) return Uint8Array.of(byte)
  const hex = byte.toString(16).padStart(2, '0')
  return Uint8Array.of(ascii.BACKSLASH, ascii.LETTER_X, hex.charCodeAt(0), hex.charCodeAt(1))
})

/** An argument as a server writes it, with its quotes. */
export const encodeArgument = (argument: Uint8Array): Uint8Array => {
  let length = 2
  for (const byte of argument) length += WRITTEN[byte]!.length
  const out = new Uint8Array(length)
  out[0] = ascii.QUOTE
  let pos = 1
  for (const byte of argument) {
    const written = WRITTEN[byte]!
    for (let index = 0; index < written.length; index += 1) out[pos + index] = written[index]!
    pos += written.length
  }
  out[pos] = ascii.QUOTE
  return out
}
