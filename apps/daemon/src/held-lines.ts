import type { StoredLine } from './line-redaction.ts'

/** Bytes that may wait, the objects around them counted at 128 bytes a line. */
const MAX_BYTES = 4 * 2 ** 20
const LINE_OVERHEAD = 128

/** Lines that came while a slice was used up and the next one had not been granted yet: at most 4 MiB, in their order. */
export class HeldLines {
  #lines: StoredLine[] = []
  #first = 0
  #bytes = 0

  get count(): number {
    return this.#lines.length - this.#first
  }

  /** Keeps a copy of the line; false when there is no room for it. */
  add({ bytes, start, end, error, parsed }: StoredLine): boolean {
    const cost = end - start + LINE_OVERHEAD
    if (this.#bytes + cost > MAX_BYTES) return false
    this.#bytes += cost
    const copy = bytes.slice(start, end)
    this.#lines.push({ bytes: copy, start: 0, end: copy.length, error, parsed: { eventUs: parsed.eventUs } })
    return true
  }

  /** The oldest line, which is no longer held. There must be one. */
  take(): StoredLine {
    const line = this.#lines[this.#first]!
    this.#first += 1
    this.#bytes -= line.end - line.start + LINE_OVERHEAD
    if (this.#first === this.#lines.length) this.clear()
    return line
  }

  clear(): void {
    this.#lines = []
    this.#first = 0
    this.#bytes = 0
  }
}
