import type { Sampling } from '@sonde/contracts'
import { LineView } from './line-view.ts'
import type { LinePredicate } from './compile.ts'

/** FNV-1a with the final mixing of MurmurHash3, because the last bits alone decide and FNV's are poor. */
const hashOf = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0x811c9dc5
  for (let pos = start; pos < end; pos += 1) hash = Math.imul(hash ^ bytes[pos]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Whether a line is in the sample. A hash decides and not a counter: so all lines of a key (or a client) stay together, in
 * every segment and after a restart. Of several keys the first decides; a line without a key goes by its client, one
 * without either by its time.
 */
export const compileSampling = ({ every, by }: Sampling): LinePredicate => {
  const view = new LineView()
  return (line, error) => {
    if (by === 'key') {
      view.load(line, error)
      const [key] = view.keys
      if (key !== undefined && view.read(key)) return hashOf(view.bytes, view.start, view.end) % every === 0
    }
    const hasClient = line.srcStart >= 0
    return (
      hashOf(line.bytes, hasClient ? line.srcStart : line.tsStart, hasClient ? line.srcEnd : line.tsEnd) % every === 0
    )
  }
}
