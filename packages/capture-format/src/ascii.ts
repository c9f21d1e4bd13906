export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const QUOTE = 0x22
export const PAREN_OPEN = 0x28
export const PAREN_CLOSE = 0x29
export const PLUS = 0x2b
export const DOT = 0x2e
export const COLON = 0x3a
export const BRACKET_OPEN = 0x5b
export const BACKSLASH = 0x5c
export const BRACKET_CLOSE = 0x5d
export const LETTER_X = 0x78
export const TILDE = 0x7e

/** The letter after a backslash -> the byte it stands for; 0 for letters that no server writes. `\x` is not in here. */
export const SHORT_ESCAPES = new Uint8Array(256)
for (const [letter, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['a', 0x07],
  ['b', 0x08],
] as const) {
  SHORT_ESCAPES[letter.charCodeAt(0)] = byte
}

/** A lower-case hex digit -> its value; 255 for every other byte, upper-case digits among them. */
export const HEX_VALUES = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value += 1) HEX_VALUES[value.toString(16).charCodeAt(0)] = value

export const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39
