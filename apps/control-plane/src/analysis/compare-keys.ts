import { latin1Decode } from '@sonde/capture-format'
import { compareBytes, readTableKey, type TopCount } from '@sonde/capture-format/profile'
import { Change, type AnalysisDiff, type ComparedKey } from '@sonde/contracts'
import type { CountedSide } from './compare-table.ts'
import { lineFilterOf } from './line-filter.ts'

/** The most frequent keys of a side are so many. */
const TOP = 50

interface Place {
  entry: TopCount
  rank: number | null
}

/** Every key of a side with its rank among the most frequent, from 1; those of one count in the order of their bytes. */
const placesOf = ({ table }: CountedSide): Map<string, Place> =>
  new Map(
    table.entries().map((entry, index) => [latin1Decode(entry.text), { entry, rank: index < TOP ? index + 1 : null }]),
  )

/** The keys that came into the 50 most frequent, left them, or have another rank there; the most frequent first. */
export const compareKeys = ({ a, b }: { a: CountedSide; b: CountedSide }, limit: number): AnalysisDiff['keys'] => {
  const [placesA, placesB] = [placesOf(a), placesOf(b)]
  const absent = (text: Uint8Array, { table: { floor } }: CountedSide): Place => ({
    entry: { text, count: floor, error: floor, bytes: 0 },
    rank: null,
  })
  const found: { text: Uint8Array; a: Place; b: Place }[] = []
  for (const [key, place] of placesA) {
    const other = placesB.get(key) ?? absent(place.entry.text, b)
    if (place.rank !== other.rank) found.push({ text: place.entry.text, a: place, b: other })
  }
  for (const [key, place] of placesB) {
    if (place.rank !== null && !placesA.has(key)) {
      found.push({ text: place.entry.text, a: absent(place.entry.text, a), b: place })
    }
  }
  const rateOf = ({ a: x, b: y }: { a: Place; b: Place }): number =>
    Math.max(x.entry.count / a.seconds, y.entry.count / b.seconds)
  const rows = found
    .toSorted((x, y) => rateOf(y) - rateOf(x) || compareBytes(x.text, y.text))
    .slice(0, limit)
    .map((each): ComparedKey => {
      const { key, isMasked } = readTableKey(each.text)
      const shown = ({ entry: { count, error }, rank }: Place, seconds: number) => ({
        count,
        error,
        perSecond: count / seconds,
        rank,
      })
      return {
        key: latin1Decode(key),
        isMasked,
        change: changeOf(each),
        a: shown(each.a, a.seconds),
        b: shown(each.b, b.seconds),
        filter: isMasked ? null : lineFilterOf('keys', key),
      }
    })
  return { rows, total: found.length, isExact: a.table.isExact && b.table.isExact }
}

const changeOf = ({ a, b }: { a: Place; b: Place }): Change => {
  if (b.rank === null) return Change.onlyA
  return a.rank === null ? Change.onlyB : Change.changed
}
