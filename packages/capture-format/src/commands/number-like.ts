import * as ascii from '../ascii.ts'

/** A longer argument is no number that steers a command: a double prints in 24, a stream id in 41. */
const MOST_BYTES = 41

const digitsEnd = (bytes: Uint8Array, start: number, end: number): number => {
  let pos = start
  while (pos < end && ascii.isDigit(bytes[pos])) pos += 1
  return pos
}

const INFINITY_WORDS = ['inf', 'infinity']

const isInfinity = (bytes: Uint8Array, start: number, end: number): boolean =>
  INFINITY_WORDS.some((word) => {
    if (word.length !== end - start) return false
    for (let pos = 0; pos < word.length; pos += 1)
      if ((bytes[start + pos]! | 0x20) !== word.charCodeAt(pos)) return false
    return true
  })

/** `u8`, `i16` and `#3` of BITFIELD. */
const hasTypeLetter = (byte: number): boolean => byte === 0x75 || byte === 0x69 || byte === 0x23

/**
 * Whether a server could read it as a number that steers a command: digits with sign, fraction and exponent, `(5`, `+inf`,
 * a stream's id (`5-1`, `5-*`, `*`, `$`, `>`, `+`, `-`), or a type of BITFIELD.
 */
export const isNumberLike = (bytes: Uint8Array, start: number, end: number): boolean => {
  const length = end - start
  if (length === 0 || length > MOST_BYTES) return false
  let pos = start
  const first = bytes[pos]!
  if (length === 1 && !ascii.isDigit(first)) {
    return first === 0x2a || first === 0x24 || first === 0x3e || first === 0x2b || first === 0x2d
  }
  if (first === ascii.PAREN_OPEN || (hasTypeLetter(first) && ascii.isDigit(bytes[pos + 1]))) pos += 1
  if (pos < end && (bytes[pos] === ascii.PLUS || bytes[pos] === 0x2d)) pos += 1
  const whole = digitsEnd(bytes, pos, end)
  if (whole === pos) return bytes[pos] === ascii.DOT ? fractionEnds(bytes, pos, end) : isInfinity(bytes, pos, end)
  if (whole === end) return true
  if (bytes[whole] === 0x2d) {
    const rest = whole + 1
    return rest < end && (digitsEnd(bytes, rest, end) === end || (rest + 1 === end && bytes[rest] === 0x2a))
  }
  return fractionEnds(bytes, whole, end)
}

/** `.5`, `.5e-3`, `e7` up to the end. */
const fractionEnds = (bytes: Uint8Array, start: number, end: number): boolean => {
  let pos = start
  if (bytes[pos] === ascii.DOT) {
    const last = digitsEnd(bytes, pos + 1, end)
    if (last === pos + 1) return false
    pos = last
  }
  if (pos === end) return true
  if ((bytes[pos]! | 0x20) !== 0x65) return false
  pos += 1
  if (pos < end && (bytes[pos] === ascii.PLUS || bytes[pos] === 0x2d)) pos += 1
  return pos < end && digitsEnd(bytes, pos, end) === end
}

/** The number that a count of keys says; -1 where it says none. */
export const countAt = (bytes: Uint8Array, start: number, end: number): number => {
  if (end - start > 9 || start === end || digitsEnd(bytes, start, end) !== end) return -1
  let count = 0
  for (let pos = start; pos < end; pos += 1) count = count * 10 + bytes[pos]! - 48
  return count
}
