import { CAPTURE_LIMITS } from '@sonde/contracts'
import { FilterError, type Filter } from './filter.ts'
import { readTerm } from './read-term.ts'

const SPACE = /\s*/y
const WORD = /[a-z][a-z0-9]*/iy

class Parser {
  readonly #text: string
  #pos = 0
  #depth = 0
  #terms = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): Filter | null {
    this.#skipSpace()
    if (this.#isAtEnd) return null
    const filter = this.#either()
    if (!this.#isAtEnd) throw this.#error('this ")" closes nothing')
    return filter
  }

  get #isAtEnd(): boolean {
    return this.#pos === this.#text.length
  }

  #either(): Filter {
    const of = [this.#all()]
    while (this.#takeKeyword('or')) of.push(this.#all())
    return of.length === 1 ? of[0]! : { kind: 'or', of }
  }

  #all(): Filter {
    const of = [this.#single()]
    for (;;) {
      if (!this.#takeKeyword('and')) {
        if (this.#isAtEnd || this.#text[this.#pos] === ')' || this.#keyword() === 'or') break
      }
      of.push(this.#single())
    }
    return of.length === 1 ? of[0]! : { kind: 'and', of }
  }

  #single(): Filter {
    const start = this.#pos
    if (this.#text[start] === '(') {
      this.#enter()
      this.#advance(start + 1)
      const inner = this.#either()
      if (this.#text[this.#pos] !== ')') {
        throw this.#error(`expected ")" for the "(" at column ${new FilterError(this.#text, start, '').column}`)
      }
      this.#advance(this.#pos + 1)
      this.#depth -= 1
      return inner
    }
    if (this.#keyword() === 'not') {
      this.#enter()
      this.#takeKeyword('not')
      const of = this.#single()
      this.#depth -= 1
      return { kind: 'not', of }
    }
    return this.#term()
  }

  #term(): Filter {
    const [text, start] = [this.#text, this.#pos]
    const word = this.#word()
    const isTerm = word !== '' && text[start + word.length] === ':'
    if (!isTerm) throw this.#error(`expected a term such as cmd:GET or key:user:*, got ${this.#here(word)}`)
    this.#terms += 1
    const { terms } = CAPTURE_LIMITS.filter
    if (this.#terms > terms) throw this.#error(`this is term ${this.#terms}, ${terms} are allowed`)
    const { term, end } = readTerm(text, { name: word, start })
    this.#advance(end)
    return term
  }

  #enter(): void {
    this.#depth += 1
    const { depth } = CAPTURE_LIMITS.filter
    if (this.#depth > depth) throw this.#error(`"(" and "not" are nested deeper than ${depth}`)
  }

  #word(): string {
    WORD.lastIndex = this.#pos
    return WORD.exec(this.#text)?.[0] ?? ''
  }

  /** The keyword here; a word with a colon is a term. */
  #keyword(): string | null {
    const word = this.#word()
    const isKeyword = /^(and|or|not)$/i.test(word) && /^(?:[\s()]|$)/.test(this.#text.slice(this.#pos + word.length))
    return isKeyword ? word.toLowerCase() : null
  }

  #takeKeyword(keyword: 'and' | 'or' | 'not'): boolean {
    if (this.#keyword() !== keyword) return false
    this.#advance(this.#pos + keyword.length)
    return true
  }

  #advance(pos: number): void {
    this.#pos = pos
    this.#skipSpace()
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#pos
    this.#pos += SPACE.exec(this.#text)?.[0].length ?? 0
  }

  #here(word: string): string {
    if (this.#isAtEnd) return 'the end'
    return JSON.stringify(word === '' ? String.fromCodePoint(this.#text.codePointAt(this.#pos)!) : word)
  }

  #error(problem: string): FilterError {
    return new FilterError(this.#text, this.#pos, problem)
  }
}

/**
 * Reads a filter as people write it; null when it is blank, which is no filter. Throws a {@link FilterError}.
 *
 * @example parseFilter('cmd:GET key:user:* or client:10.0.0.0/8 not cmd:@read')
 */
export const parseFilter = (text: string): Filter | null => {
  const { characters } = CAPTURE_LIMITS.filter
  if (text.length > characters) {
    throw new FilterError(text, characters, `the filter has ${text.length} characters, ${characters} are allowed`)
  }
  return new Parser(text).whole()
}
