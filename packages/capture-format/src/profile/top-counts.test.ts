import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { TopCounts } from './top-counts.ts'

const KEEP = 4
const add = (table: TopCounts, text: string): void => {
  const bytes = latin1Encode(text)
  table.add(bytes, 0, bytes.length, bytes.length)
}
const countsOf = (texts: string[]): TopCounts => {
  const table = new TopCounts({ keep: KEEP, longest: 4 })
  for (const text of texts) add(table, text)
  return table
}
const exactOf = (texts: string[]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
const shown = (table: TopCounts) => ({
  total: table.total,
  floor: table.floor,
  tooLong: table.tooLong,
  entries: table.entries().map(({ text, ...rest }) => ({ text: latin1Decode(text), ...rest })),
})

/** Few texts often and many seldom, so that some tables are exact and others overflow. */
const text = fc.oneof(fc.constantFrom('a', 'b', '', '\0'), fc.nat(60).map(String), fc.constant('too long'))
const streams = fc.array(fc.array(text, { maxLength: 60 }), { minLength: 1, maxLength: 5 })

const expectBounds = (table: TopCounts, texts: string[]): void => {
  const exact = exactOf(texts)
  const entries = table.entries()
  expect(entries.length).toBeLessThanOrEqual(KEEP)
  expect(table.total).toBe(texts.length)
  expect(table.tooLong).toBe(exact.get('too long') ?? 0)
  exact.delete('too long')
  expect(table.floor).toBeLessThanOrEqual(table.total / (KEEP + 1))
  for (const { text: bytes, count, error } of entries) {
    const truth = exact.get(latin1Decode(bytes))!
    expect(truth).toBeLessThanOrEqual(count)
    expect(truth).toBeGreaterThanOrEqual(count - error)
    expect(error).toBeLessThanOrEqual(table.floor)
    exact.delete(latin1Decode(bytes))
  }
  for (const truth of exact.values()) expect(truth).toBeLessThanOrEqual(table.floor)
}

test('counts are within their stated error, however the texts were split and merged', () => {
  let exact = 0
  let cut = 0
  fc.assert(
    fc.property(streams, fc.boolean(), (parts, isLeft) => {
      const tables = parts.map(countsOf)
      const merged = isLeft
        ? tables.reduce((all, each) => (all.merge(each), all))
        : tables.reduceRight((all, each) => (all.merge(each), all))
      expectBounds(merged, parts.flat())
      if (merged.floor === 0) exact += 1
      else cut += 1
    }),
    { numRuns: 2000 },
  )
  expect(Math.min(exact, cut)).toBeGreaterThan(100)
})

test('as long as nothing is left out, merging is associative, commutative and exact', () => {
  const few = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 })
  fc.assert(
    fc.property(few, few, few, (a, b, c) => {
      const left = countsOf(a)
      left.merge(countsOf(b))
      left.merge(countsOf(c))
      const inner = countsOf(c)
      inner.merge(countsOf(b))
      inner.merge(countsOf(a))
      expect(shown(left)).toEqual(shown(inner))
      expect(shown(left)).toEqual(shown(countsOf([...a, ...b, ...c])))
      expect(left.isExact).toBe(true)
    }),
  )
})

test('10 million different keys and a few hot ones need no more memory than a thousand', { timeout: 120_000 }, () => {
  const table = new TopCounts({ keep: 1024, longest: 64 })
  const key = new Uint8Array(12)
  const view = new DataView(key.buffer)
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  for (let index = 0; index < 10_000_000; index += 1) {
    view.setFloat64(4, index)
    table.add(key, 0, 12, 12)
    if (index % 100 === 0) add(table, `hot${index % 3}`)
  }
  const [first, second, third] = table.entries()
  expect([first, second, third].map((entry) => latin1Decode(entry!.text)).toSorted()).toEqual(['hot0', 'hot1', 'hot2'])
  expect(Math.abs(first!.count - 33_333)).toBeLessThanOrEqual(table.floor)
  expect(table.floor).toBeLessThanOrEqual(10_100_000 / 1025)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 2 ** 20)
})
