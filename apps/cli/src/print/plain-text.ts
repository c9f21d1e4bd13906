/** Controls, format characters (bidi overrides, zero width, tags), line separators and lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const escaped = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  return SHORT[character] ?? (code <= 0xff ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`)
}
const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0')

/** A text of unknown origin on one line that a terminal shows as it is: what could act on the terminal is escaped. */
export const plainText = (text: string): string => text.replace(UNSAFE, escaped)

/** Bytes read as Latin-1, as one line of ASCII: each byte that does not print is `\xNN`, as a server writes it. */
export const plainLatin1 = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, (character) => `\\x${hex(character.charCodeAt(0), 2)}`)

/** JSON that a terminal shows as it is; it parses to the same value. */
export const plainJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(UNSAFE, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, index) => `\\u${hex(character.charCodeAt(index), 4)}`).join(''),
  )

/** East Asian wide characters and emoji take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u
const ASCII = /^[\x20-\x7e]*$/

const widthOf = (character: string): number => (/\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1)

/** Columns that a plain text takes. */
export const displayWidth = (text: string): number =>
  ASCII.test(text) ? text.length : Array.from(text).reduce((sum, character) => sum + widthOf(character), 0)

/** A plain text cut to a number of columns, the last of them `…` when something is missing. */
export const cropped = (text: string, columns: number): string => {
  if (displayWidth(text) <= columns) return text
  let out = ''
  let width = 0
  for (const character of text) {
    width += widthOf(character)
    if (width > columns - 1) break
    out += character
  }
  return columns < 1 ? '' : `${out}…`
}
