import { expect, test } from 'vitest'
import { addressOf, slotWords } from './target-words.ts'

test('an address is told as a client would write it, and safe to show', () => {
  expect(addressOf({ host: '10.0.0.1', port: 6379 })).toBe('10.0.0.1:6379')
  expect(addressOf({ host: 'fe80::1', port: 6379 })).toBe('[fe80::1]:6379')
  expect(addressOf({ host: 'edge-1', port: 0 })).toBe('edge-1')
  expect(addressOf({ host: 'a\u202Eb', port: 1 })).toBe('a\\u{202e}b:1')
})

test('slots are told as ranges', () => {
  expect(slotWords([])).toBe('')
  expect(
    slotWords([
      [0, 5460],
      [7000, 7000],
    ]),
  ).toBe('0-5460 7000')
})
