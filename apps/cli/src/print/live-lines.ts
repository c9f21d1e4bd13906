import { cropped } from './plain-text.ts'

/** Lines of a terminal that are drawn again in place. Without a terminal nothing is drawn. */
export class LiveLines implements Disposable {
  readonly #stream: NodeJS.WriteStream
  #drawn = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  get isLive(): boolean {
    return this.#stream.isTTY && process.env['TERM'] !== 'dumb'
  }

  /** Draws plain lines over those drawn before, each cut to the terminal's width. */
  draw(lines: readonly string[]): void {
    if (!this.isLive) return
    const columns = (this.#stream.columns || 80) - 1
    // More lines than the terminal has cannot be reached again by moving up.
    const shown = lines.slice(0, Math.max(1, (this.#stream.rows || 24) - 2))
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : ''
    this.#stream.write(`${up}\r\u001b[J${shown.map((line) => `${cropped(line, columns)}\n`).join('')}`)
    this.#drawn = shown.length
  }

  /** Removes the lines. */
  clear(): void {
    if (this.isLive && this.#drawn > 0) this.#stream.write(`\u001b[${this.#drawn}A\r\u001b[J`)
    this.#drawn = 0
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
