import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Spread } from './spread.ts'

test('the largest time is exact, and shares are told within a fifth, never too low', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.02, max: 1e6, noNaN: true }), { minLength: 1 }), (times) => {
      const spread = new Spread()
      for (const ms of times) spread.add(ms)
      const sorted = times.toSorted((a, b) => a - b)
      expect(spread.max).toBe(sorted.at(-1))
      for (const share of [0.5, 0.99, 1]) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1]!
        expect(spread.atMost(share)).toBeGreaterThanOrEqual(exact * 0.999)
        expect(spread.atMost(share)).toBeLessThanOrEqual(exact * 1.2)
      }
    }),
  )
  expect([new Spread().max, new Spread().atMost(0.99)]).toEqual([0, 0])
})
