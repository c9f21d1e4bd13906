const upper = (byte: number): number => (byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte)

/** What stands for a word, found by its bytes in any case, without a string. */
export class WordIndex<T> {
  readonly #mask: number
  readonly #words: (Uint8Array | undefined)[]
  readonly #values: T[] = []

  /** @param entries words in upper case, ASCII */
  constructor(entries: Iterable<readonly [word: string, value: T]>) {
    const all = [...entries]
    const size = 2 ** Math.ceil(Math.log2(2 * all.length + 2))
    this.#mask = size - 1
    this.#words = Array.from({ length: size }, () => undefined)
    for (const [word, value] of all) {
      const bytes = Uint8Array.from(word, (letter) => letter.charCodeAt(0))
      let at = this.#slotOf(bytes, 0, bytes.length)
      while (this.#words[at] !== undefined) at = (at + 1) & this.#mask
      this.#words[at] = bytes
      this.#values[at] = value
    }
  }

  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    for (let at = this.#slotOf(bytes, start, end); ; at = (at + 1) & this.#mask) {
      const word = this.#words[at]
      if (word === undefined) return undefined
      if (word.length !== end - start) continue
      let pos = 0
      while (pos < word.length && word[pos] === upper(bytes[start + pos]!)) pos += 1
      if (pos === word.length) return this.#values[at]
    }
  }

  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start
    // No word is longer than 32; the rest would not make it one.
    const last = Math.min(end, start + 32)
    for (let pos = start; pos < last; pos += 1) hash = (Math.imul(hash, 31) + upper(bytes[pos]!)) | 0
    return (hash ^ (hash >>> 9)) & this.#mask
  }
}
