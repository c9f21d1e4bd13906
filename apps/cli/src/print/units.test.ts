import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  counted,
  formatBytes,
  formatCount,
  formatDuration,
  formatEventTime,
  formatInstant,
  parseDuration,
  parseSize,
} from './units.ts'

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['90d', 7_776_000_000],
  ])('%s is read', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', '30', 's', '-1s', '1e3s', '30 sec', '30S', '1h30m', '999999999999999d', 'constructor'])(
    '%j is refused, with the form in the message',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/500ms, 30s, 5m, 1h/)
    },
  )

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [20_000, '20.0 s'],
    [59_949, '59.9 s'],
    [59_950, '1 m 00 s'],
    [303_000, '5 m 03 s'],
    [7_500_000, '2 h 05 m'],
    [273_600_000, '3 d 04 h'],
  ])('%d ms is shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('sizes', () => {
  test.each([
    ['1024', 1024],
    ['10B', 10],
    ['1KiB', 1024],
    ['50MiB', 52_428_800],
    ['1GB', 1_000_000_000],
    ['0.5GiB', 536_870_912],
  ])('%s is read', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each(['', '1K', '-1', '1 zb', '1e9', '99999999999999TiB'])('%j is refused', (text) => {
    expect(() => parseSize(text)).toThrow(RangeError)
  })

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_048_575, '1.0 MiB'],
    [52_428_800, '50.0 MiB'],
  ])('%d bytes are shown as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test('what is shown as whole MiB is read back as the same size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (mib) => {
        expect(parseSize(formatBytes(mib * 2 ** 20))).toBe(mib * 2 ** 20)
      }),
    )
  })
})

test('counts have separators', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567')
})

test('an event keeps its microseconds, and an instant that is none stays as it came', () => {
  const us = Date.parse('2026-11-24T13:31:55.123Z') * 1000 + 456
  expect(formatEventTime(us)).toMatch(/^\d\d:\d\d:55\.123456$/)
  expect(formatInstant('2026-11-24T13:31:55.999Z')).toMatch(/^2026-11-2\d \d\d:\d\d:55$/)
  expect(formatInstant('soon')).toBe('soon')
})

test('one thing is in the singular', () => {
  expect([0, 1, 2000].map((count) => counted(count, 'server'))).toEqual(['0 servers', '1 server', '2,000 servers'])
  expect(counted(2, 'process', 'processes')).toBe('2 processes')
})
