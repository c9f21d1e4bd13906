import { keysOf, latin1Decode, type MonitorLine } from '@sonde/capture-format'
import { ByteCounts } from '@sonde/capture-format/summary'
import type { Facet } from '@sonde/contracts'

/** Values of one facet that are told apart while lines are read; beyond it they count as `other`. */
const MOST_VALUES = 4096
/** Values of one facet that an answer has. */
const SHOWN_VALUES = 50
const COLON = 0x3a
const BACKSLASH = 0x5c

const FACETS = ['verb', 'keyPrefix', 'client'] as const
type FacetName = (typeof FACETS)[number]

/** Counts of one facet by value, as they travel between threads. */
export interface FacetTally {
  values: Map<string, number>
  other: number
  none: number
}
export type FacetTallies = Record<FacetName, FacetTally>

/** Counts the facets of lines; allocates nothing for a line whose values it has seen. */
export class FacetCounts {
  readonly #verbs = new ByteCounts({ most: MOST_VALUES, longest: 64, foldsCase: true })
  readonly #prefixes = new ByteCounts({ most: MOST_VALUES, longest: 128 })
  readonly #clients = new ByteCounts({ most: MOST_VALUES, longest: 128 })
  readonly #keys: number[] = []
  readonly #none = { verb: 0, keyPrefix: 0, client: 0 }

  add(line: MonitorLine): void {
    const { bytes, ranges } = line
    if (line.argc === 0) this.#none.verb += 1
    else this.#verbs.add(bytes, ranges[0]!, ranges[1]!)
    if (line.srcStart < 0) this.#none.client += 1
    else this.#clients.add(bytes, line.srcStart, hostEnd(bytes, line.srcStart, line.srcEnd))
    this.#addKey(line)
  }

  take(): FacetTallies {
    return {
      verb: tallyOf(this.#verbs, this.#none.verb),
      keyPrefix: tallyOf(this.#prefixes, this.#none.keyPrefix),
      client: tallyOf(this.#clients, this.#none.client),
    }
  }

  /** Prefixes are counted as they are printed, escapes and all. */
  #addKey(line: MonitorLine): void {
    const count = line.argc > 1 ? keysOf(line, this.#keys) : 0
    let index = 0
    while (index < count && line.isMasked(this.#keys[index]!)) index += 1
    if (index === count) {
      this.#none.keyPrefix += 1
      return
    }
    const { bytes, ranges } = line
    const start = ranges[2 * this.#keys[index]!]!
    const end = ranges[2 * this.#keys[index]! + 1]!
    let stop = start
    while (stop < end && bytes[stop] !== COLON) stop += bytes[stop] === BACKSLASH ? 2 : 1
    this.#prefixes.add(bytes, start, Math.min(end, stop + 1))
  }
}

/** Where the port begins, if there is one: the last colon of `10.0.0.1:50000` and `[::1]:50000`. */
const hostEnd = (bytes: Uint8Array, start: number, end: number): number => {
  for (let pos = end - 1; pos > start; pos -= 1) {
    const byte = bytes[pos]!
    if (byte === COLON) return pos
    if (byte < 0x30 || byte > 0x39) return end
  }
  return end
}

const tallyOf = (counts: ByteCounts, none: number): FacetTally => ({
  values: new Map(Array.from(counts.entries(), ({ text, count }) => [latin1Decode(text), count])),
  other: counts.other,
  none,
})

const emptyTally = (): FacetTally => ({ values: new Map(), other: 0, none: 0 })

export const emptyTallies = (): FacetTallies => ({
  verb: emptyTally(),
  keyPrefix: emptyTally(),
  client: emptyTally(),
})

/** Adds what another thread counted. */
export const addTallies = (to: FacetTallies, from: FacetTallies): void => {
  for (const name of FACETS) {
    for (const [value, lines] of from[name].values)
      to[name].values.set(value, (to[name].values.get(value) ?? 0) + lines)
    to[name].other += from[name].other
    to[name].none += from[name].none
  }
}

/** The most frequent values, and the others in one number. */
export const facetOf = ({ values, other, none }: FacetTally): Facet => {
  const sorted = [...values].map(([value, lines]) => ({ value, lines }))
  sorted.sort((a, b) => b.lines - a.lines || (a.value < b.value ? -1 : 1))
  const rest = sorted.slice(SHOWN_VALUES).reduce((sum, { lines }) => sum + lines, 0)
  return { values: sorted.slice(0, SHOWN_VALUES), other: other + rest, none }
}
