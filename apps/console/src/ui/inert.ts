/** What changes how text is laid out or read without being seen: controls, formats (bidi, zero width), odd separators. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu

/**
 * Text that somebody else wrote (names, reasons, servers' words), made safe to show: what could reorder or hide other text is
 * written as an escape.
 *
 * @example
 * inert('\u202eexe') // '\u{202e}exe' with the escape spelled out
 */
export const inert = (text: string): string =>
  text.replaceAll(ACTIVE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)

/** Stored bytes, read as Latin-1, as printable ASCII: every other byte is written as `\xNN`. */
export const inertBytes = (latin1: string): string =>
  latin1.replaceAll(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
