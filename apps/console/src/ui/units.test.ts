import { expect, test } from 'vitest'
import { formatAge, formatBytes, formatCount, formatDuration, shortId } from './units.ts'

test('sizes and counts are short and grouped', () => {
  expect([0, 999, 1024, 1536, 52_428_800, 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 KiB',
    '1.5 KiB',
    '50.0 MiB',
    '1.0 TiB',
  ])
  expect(formatCount(1_234_567)).toBe('1,234,567')
})

test('durations are told in the two units that matter', () => {
  expect([20, 1000, 12_340, 59_999, 60_000, 245_000, 3_600_000, 7_380_000].map(formatDuration)).toEqual([
    '20 ms',
    '1 s',
    '12.3 s',
    '60 s',
    '1 min',
    '4 min 5 s',
    '1 h',
    '2 h 3 min',
  ])
})

test('ages are told in one unit, and what is to come as such', () => {
  expect([0, 1999, 2000, 59_000, 61_000, 3_700_000, 90_000_000, -4000].map(formatAge)).toEqual([
    'now',
    'now',
    '2 s ago',
    '59 s ago',
    '1 min ago',
    '1 h ago',
    '1 d ago',
    'in 4 s',
  ])
})

test('an id is cut to the part that differs', () => {
  expect(shortId('node-0123456789abcdef0123456789abcdef')).toBe('node-01234567')
  expect(shortId('01930f2e-7c1a-7a00-8000-0123456789ab')).toBe('456789ab')
})
