import * as ascii from '../ascii.ts'

/**
 * Writes the bytes that an argument's text stands for into `out`, and answers how many; a text without an escape is not written,
 * since it stands for itself. -1 for a text with a broken escape, which only a line that is not whole has.
 */
// oxlint-disable-next-line max-params -- called for each masked argument
export const decodedInto = (bytes: Uint8Array, start: number, end: number, out: Uint8Array): number => {
  let first = start
  while (first < end && bytes[first] !== ascii.BACKSLASH) first += 1
  if (first === end) return end - start
  out.set(bytes.subarray(start, first))
  let length = first - start
  for (let pos = first; pos < end; pos += 1) {
    let byte = bytes[pos]!
    if (byte === ascii.BACKSLASH) {
      if (pos + 1 >= end) return -1
      const letter = bytes[pos + 1]!
      if (letter === ascii.LETTER_X) {
        if (pos + 3 >= end) return -1
        const high = ascii.HEX_VALUES[bytes[pos + 2]!]!
        const low = ascii.HEX_VALUES[bytes[pos + 3]!]!
        if ((high | low) === 255) return -1
        byte = (high << 4) | low
        pos += 3
      } else {
        byte = ascii.SHORT_ESCAPES[letter]!
        if (byte === 0) return -1
        pos += 1
      }
    }
    out[length] = byte
    length += 1
  }
  return length
}
