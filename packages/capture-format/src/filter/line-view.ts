import { decodeArgumentInto } from '../argument.ts'
import { BACKSLASH } from '../ascii.ts'
import { keysOf } from '../commands/keys-of.ts'
import type { LineErrorKind, MonitorLine } from '../monitor-line.ts'

/** One line as terms see it. Arguments are decoded into a buffer that is used again; what has no escape is not copied. */
export class LineView {
  line!: MonitorLine
  error: LineErrorKind | null = null
  /** The argument read last. */
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  #decoded = new Uint8Array(256)
  readonly #keys: number[] = []
  #hasKeys = false

  load(line: MonitorLine, error: LineErrorKind | null): void {
    this.line = line
    this.error = error
    this.#hasKeys = false
  }

  /** Which arguments are keys. */
  get keys(): readonly number[] {
    if (!this.#hasKeys) keysOf(this.line, this.#keys)
    this.#hasKeys = true
    return this.#keys
  }

  /** Makes an argument the one read last; false where the line has none under this number, or only its mask. */
  read(index: number): boolean {
    const { line } = this
    if (index >= line.argc || line.isMasked(index)) return false
    const start = line.ranges[2 * index]!
    const end = line.ranges[2 * index + 1]!
    if (!line.hasEscapes || !hasBackslash(line.bytes, start, end)) {
      this.bytes = line.bytes
      this.start = start
      this.end = end
      return true
    }
    if (end - start > this.#decoded.length) this.#decoded = new Uint8Array(2 * (end - start))
    this.bytes = this.#decoded
    this.start = 0
    this.end = decodeArgumentInto(this.#decoded, line.bytes, { start, end })
    return true
  }
}

const hasBackslash = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let pos = start; pos < end; pos += 1) if (bytes[pos] === BACKSLASH) return true
  return false
}
