import { latin1Decode } from '@sonde/capture-format'
import { compareBytes, type ProfileTable, type TopCount, type TopCounts } from '@sonde/capture-format/profile'
import { Change, type ComparedList, type ComparedRow, type ComparedSize } from '@sonde/contracts'
import { lineFilterOf } from './line-filter.ts'
import { compareRates, discoveryLimit, type RateVerdict } from './rate-test.ts'

/** What is counted of one side, in the seconds that it was read. */
export interface CountedSide {
  table: TopCounts
  seconds: number
}

/** Of the rows of a list that are called significant so many may be chance. */
const FALSE_DISCOVERIES = 0.01
/** A rate that is this many times as high, or as low, has changed; less is no finding, however certain. */
const LEAST_RATIO = 2
/** Fewer occurrences on both sides together tell nothing about a rate or a size. */
const LEAST_COUNT = 5

/** A text with its counts on both sides; a side that does not have it has `floor` of it at the most. */
interface Pair {
  text: Uint8Array
  a: TopCount
  b: TopCount
}

const pairsOf = (a: TopCounts, b: TopCounts): Pair[] => {
  const absent = (text: Uint8Array, { floor }: TopCounts): TopCount => ({ text, count: floor, error: floor, bytes: 0 })
  const others = new Map(b.entries().map((entry) => [latin1Decode(entry.text), entry]))
  const pairs = a.entries().map((entry): Pair => {
    const key = latin1Decode(entry.text)
    const other = others.get(key) ?? absent(entry.text, b)
    others.delete(key)
    return { text: entry.text, a: entry, b: other }
  })
  for (const other of others.values()) pairs.push({ text: other.text, a: absent(other.text, a), b: other })
  return pairs
}

const changeOf = ({ a, b }: Pair): Change => {
  if (b.count === 0) return Change.onlyA
  return a.count === 0 ? Change.onlyB : Change.changed
}

const isLarge = ({ ratio }: Pick<RateVerdict, 'ratio'>): boolean =>
  ratio === null || ratio >= LEAST_RATIO || ratio <= 1 / LEAST_RATIO

/**
 * What differs between two tables: every text that only one side has, and those of both whose rates differ by a factor of 2 and more than
 * chance explains, all rows of the table judged together.
 */
export const compareTables = (
  name: ProfileTable,
  { a, b }: { a: CountedSide; b: CountedSide },
  limit: number,
): ComparedList => {
  const judged = pairsOf(a.table, b.table).map((pair) => {
    const verdict = compareRates({ ...pair.a, seconds: a.seconds }, { ...pair.b, seconds: b.seconds })
    return { pair, verdict, change: changeOf(pair) }
  })
  const limitP = discoveryLimit(
    judged.map(({ verdict }) => verdict.p),
    FALSE_DISCOVERIES,
  )
  const isSignificant = ({ pair, verdict }: (typeof judged)[number]): boolean =>
    verdict.p <= limitP && isLarge(verdict) && pair.a.count + pair.b.count >= LEAST_COUNT
  const found = judged
    .filter((each) => each.change !== Change.changed || isSignificant(each))
    .toSorted(
      (x, y) =>
        Number(isSignificant(y)) - Number(isSignificant(x)) ||
        x.verdict.p - y.verdict.p ||
        Math.max(y.pair.a.count, y.pair.b.count) - Math.max(x.pair.a.count, x.pair.b.count) ||
        compareBytes(x.pair.text, y.pair.text),
    )
  const counted = ({ count, error }: TopCount, seconds: number) => ({ count, error, perSecond: count / seconds })
  const rows = found.slice(0, limit).map((each): ComparedRow => {
    const { pair, verdict, change } = each
    return {
      text: latin1Decode(pair.text),
      change,
      a: counted(pair.a, a.seconds),
      b: counted(pair.b, b.seconds),
      ...verdict,
      isSignificant: isSignificant(each),
      filter: lineFilterOf(name, pair.text),
    }
  })
  return { rows, total: found.length, isExact: a.table.isExact && b.table.isExact }
}

/** Shapes that both sides have and whose lines are at least twice as large on one, on average; the most frequent first. */
export const compareSizes = (
  { a, b }: { a: CountedSide; b: CountedSide },
  limit: number,
): { rows: ComparedSize[]; total: number; isExact: boolean } => {
  const sizeOf = ({ count, error, bytes }: TopCount): number => bytes / (count - error)
  const found = pairsOf(a.table, b.table)
    .filter((pair) => Math.min(pair.a.count - pair.a.error, pair.b.count - pair.b.error) >= LEAST_COUNT)
    .map((pair) => ({ pair, ratio: sizeOf(pair.a) / sizeOf(pair.b) }))
    .filter(isLarge)
    .toSorted(
      (x, y) =>
        y.pair.a.count + y.pair.b.count - x.pair.a.count - x.pair.b.count || compareBytes(x.pair.text, y.pair.text),
    )
  const rows = found.slice(0, limit).map(({ pair, ratio }): ComparedSize => ({
    text: latin1Decode(pair.text),
    a: sizeOf(pair.a),
    b: sizeOf(pair.b),
    ratio,
    filter: lineFilterOf('shapes', pair.text),
  }))
  return { rows, total: found.length, isExact: a.table.isExact && b.table.isExact }
}
