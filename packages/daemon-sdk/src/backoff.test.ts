import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aboutMs, fullJitterMs } from './backoff.ts'

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('a wait is never negative and never above its cap, whatever the attempt', () => {
  fc.assert(
    fc.property(fraction, fc.nat(100_000), fc.integer({ min: 1, max: 60_000 }), (part, attempt, capMs) => {
      const wait = fullJitterMs({ attempt, random: () => part, baseMs: 100, capMs })
      expect(wait).toBeGreaterThanOrEqual(0)
      expect(wait).toBeLessThanOrEqual(capMs)
    }),
  )
})

test('the bound doubles with each failure until the cap', () => {
  const almostOne = 1 - Number.EPSILON
  const bounds = [0, 1, 2, 3, 4, 5].map((attempt) =>
    Math.round(fullJitterMs({ attempt, random: () => almostOne, baseMs: 100, capMs: 1000 })),
  )
  expect(bounds).toEqual([100, 200, 400, 800, 1000, 1000])
})

test('the jitter is full: the same attempt can wait not at all', () => {
  expect(fullJitterMs({ attempt: 10, random: () => 0 })).toBe(0)
})

test('a period is off by at most a tenth', () => {
  fc.assert(
    fc.property(fraction, fc.integer({ min: 1, max: 1e9 }), (part, period) => {
      const ms = aboutMs(period, () => part)
      expect(ms).toBeGreaterThanOrEqual(period * 0.9 - 1e-6)
      expect(ms).toBeLessThanOrEqual(period * 1.1 + 1e-6)
    }),
  )
})
