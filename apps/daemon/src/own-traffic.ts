import { latin1Encode, type MonitorLine } from '@sonde/capture-format'

/** Which connection of the daemon a mark was sent on. */
export type OwnConnection = 'monitor' | 'control' | 'watchdog'

const LETTERS: Record<OwnConnection, string> = { monitor: 'm', control: 'c', watchdog: 'w' }

const isAt = (bytes: Uint8Array, start: number, wanted: Uint8Array): boolean => {
  // Addresses differ in their last digits, so comparing from the end decides at the first byte most of the time.
  for (let index = wanted.length - 1; index >= 0; index -= 1) if (bytes[start + index] !== wanted[index]) return false
  return true
}

/**
 * Knows the lines that the daemon itself makes on one target. Each of its connections sends `ECHO` of a mark with an
 * unguessable word; the line that comes back is own traffic and shows the address under which the server sees that
 * connection, through NAT and proxies too. All clients of a unix socket show the same path, and scripts show `lua`, so
 * there only the marks are known.
 */
export class OwnTraffic {
  readonly #prefix: string
  readonly #prefixBytes: Uint8Array
  readonly #sources = new Map<number, Uint8Array>()
  #sourceList: readonly Uint8Array[] = []
  #count = 0

  /** @param nonce some random letters and digits, for one opening of one target */
  constructor(nonce: string) {
    this.#prefix = `sonde-fence-${nonce}-`
    this.#prefixBytes = latin1Encode(this.#prefix)
  }

  /** A new mark to be echoed on that connection. */
  mark(connection: OwnConnection): string {
    this.#count += 1
    return `${this.#prefix}${LETTERS[connection]}${this.#count}`
  }

  /** Whether the line is the daemon's own; learns from marks. */
  isOwn(line: MonitorLine): boolean {
    const { bytes, srcStart } = line
    const length = line.srcEnd - srcStart
    if (srcStart >= 0) {
      for (const source of this.#sourceList) {
        if (source.length === length && isAt(bytes, srcStart, source)) return true
      }
    }
    return this.#isMark(line)
  }

  #isMark(line: MonitorLine): boolean {
    if (line.argc !== 2) return false
    const { bytes, ranges } = line
    const start = ranges[2]!
    const prefix = this.#prefixBytes
    if (ranges[3]! - start <= prefix.length || !isAt(bytes, start, prefix)) return false
    const source = line.source
    if (source !== null && /:\d+$/.test(source) && !source.startsWith('unix:')) {
      this.#sources.set(bytes[start + prefix.length]!, latin1Encode(source))
      this.#sourceList = [...this.#sources.values()]
    }
    return true
  }
}
