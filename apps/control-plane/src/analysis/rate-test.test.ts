import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareRates, discoveryLimit } from './rate-test.ts'

const sample = fc
  .record({
    count: fc.nat(5000),
    missing: fc.double({ min: 0, max: 1, noNaN: true }),
    seconds: fc.integer({ min: 1, max: 4000 }),
  })
  .map(({ count, missing, seconds }) => ({ count, error: Math.floor(count * missing * 0.2), seconds }))

test('the probability is that of the binomial', () => {
  const probability = (a: number, b: number, seconds = 1) =>
    compareRates({ count: a, error: 0, seconds }, { count: b, error: 0, seconds: 1 }).p
  expect(probability(5, 0)).toBeCloseTo(2 / 32, 12)
  expect(probability(8, 2)).toBeCloseTo((2 * (45 + 10 + 1)) / 1024, 12)
  expect(probability(1, 0, 3)).toBe(1)
  expect(probability(0, 3, 3)).toBeCloseTo(2 / 64, 12)
  expect(probability(0, 0)).toBe(1)
})

test('it stays so for millions of occurrences', () => {
  const at = (a: number, b: number) =>
    compareRates({ count: a, error: 0, seconds: 1 }, { count: b, error: 0, seconds: 1 }).p
  // Two-sided tails of the normal distribution, which is near enough for so many: 3 and 6 deviations, continuity-corrected.
  expect(at(500_000 + 1500, 500_000 - 1500)).toBeCloseTo(0.0027, 4)
  expect(at(500_000 + 3000, 500_000 - 3000) / 1.98e-9).toBeCloseTo(1, 1)
  expect(at(3_000_000, 2_000_000)).toBe(0)
})

test('the sides can be exchanged, and an error never makes a difference clearer', () => {
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      const forth = compareRates(a, b)
      const back = compareRates(b, a)
      expect(forth.p).toBe(back.p)
      expect(forth.p).toBeGreaterThanOrEqual(0)
      expect(forth.p).toBeLessThanOrEqual(1)
      if (forth.ratio === null || back.ratio === null) expect(forth.ratio).toBe(back.ratio)
      else expect(forth.ratio * back.ratio).toBeCloseTo(1, 9)
      expect(forth.p).toBeGreaterThanOrEqual(compareRates({ ...a, error: 0 }, { ...b, error: 0 }).p * (1 - 1e-9))
    }),
    { numRuns: 3000 },
  )
})

test('one of many rows must be clearer than one alone', () => {
  expect(discoveryLimit([0.005], 0.01)).toBe(0.005)
  expect(discoveryLimit([0.005, ...Array.from({ length: 99 }, () => 0.5)], 0.01)).toBe(-1)
  expect(discoveryLimit([0.0001, 0.0002, 0.9], 0.01)).toBe(0.0002)
  expect(discoveryLimit([], 0.01)).toBe(-1)
})
