import { BACKSLASH, BRACKET_CLOSE, BRACKET_OPEN, QUOTE } from '../ascii.ts'
import type { Filter, FilterTerm } from '../filter/filter.ts'
import { latin1Encode } from '../latin1.ts'

const DASH = 0x2d
/** More texts are searched no faster than lines are parsed. */
const MOST_TEXTS = 4
/** A shorter one is in most lines. */
const SHORTEST = 2

/**
 * Texts of which at least one is in the stored bytes of every line that the filter matches, so that a search can leave out the lines
 * between them; null where there are none. Of a line in which some byte is written as `\xNN` they tell nothing.
 */
export const requiredTexts = (filter: Filter): Uint8Array[] | null => {
  const texts = textsOf(filter)
  return texts === null ? null : texts.map(latin1Encode)
}

const textsOf = (filter: Filter): string[] | null => {
  if (filter.kind === 'not') return null
  if (filter.kind !== 'and' && filter.kind !== 'or') {
    const text = textOf(filter)
    return text.length < SHORTEST ? null : [text]
  }
  const found = filter.of.map(textsOf)
  if (filter.kind === 'or') {
    if (found.includes(null)) return null
    const all = [...new Set(found.flatMap((texts) => texts ?? []))]
    return all.length > MOST_TEXTS ? null : all
  }
  const known = found.filter((texts) => texts !== null)
  return known.toSorted((a, b) => shortest(b) - shortest(a))[0] ?? null
}

const shortest = (texts: readonly string[]): number => Math.min(...texts.map((text) => text.length))

/** Empty where the term requires none. */
const textOf = (term: FilterTerm): string => {
  if (term.kind === 'key' || term.kind === 'arg') return longestLiteral(term.glob)
  if (term.kind === 'client') return term.text
  return term.kind === 'namespace' ? `[${term.name} ` : ''
}

const isPlain = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== QUOTE && byte !== BACKSLASH

/** The longest run of a glob that matches itself only, and that a server writes as it is. */
const longestLiteral = (glob: string): string => {
  let longest = ''
  let run = ''
  const end = (): void => {
    if (run.length > longest.length) longest = run
    run = ''
  }
  const bytes = latin1Encode(glob)
  for (let pos = 0; pos < bytes.length; pos += 1) {
    let byte = bytes[pos]!
    if (byte === BRACKET_OPEN) {
      end()
      pos = classEnd(bytes, pos + 1)
      continue
    }
    const isWild = glob[pos] === '*' || glob[pos] === '?'
    if (byte === BACKSLASH) {
      pos += 1
      byte = bytes[pos]!
    }
    if (isWild || !isPlain(byte)) end()
    else run += String.fromCharCode(byte)
  }
  end()
  return longest
}

/** The offset of the `]` that ends a class; one that is the end of a range, as in `[a-]]`, does not. */
const classEnd = (bytes: Uint8Array, start: number): number => {
  let pos = start
  while (pos < bytes.length && bytes[pos] !== BRACKET_CLOSE) {
    if (bytes[pos] === BACKSLASH) pos += 2
    else pos += bytes[pos + 1] === DASH && pos + 2 < bytes.length ? 3 : 1
  }
  return pos
}
