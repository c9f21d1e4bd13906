import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { latin1Encode } from '../latin1.ts'
import { compileGlob, compileSubstring } from './glob.ts'

const matches = (pattern: string, text: string): boolean => {
  const bytes = latin1Encode(`<${text}>`)
  return compileGlob(pattern).matches(bytes, 1, bytes.length - 1)
}

test.each([
  ['*', '', true],
  ['*', 'a\nb\0', true],
  ['', '', true],
  ['', 'a', false],
  ['user:*', 'user:1', true],
  ['user:*', 'xuser:1', false],
  ['user:*', 'user', false],
  ['*:1', 'user:1', true],
  ['*:1', 'user:12', false],
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h[ae]llo', 'hallo', true],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['h[a-c]llo', 'hbllo', true],
  ['h[c-a]llo', 'hbllo', true],
  ['h[a-c]llo', 'hdllo', false],
  ['h[\\]]llo', 'h]llo', true],
  ['[]', 'a', false],
  ['[^]', 'a', true],
  ['a.b', 'axb', false],
  ['a.b', 'a.b', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['a*b*c', 'a1b2c', true],
  ['a*b*c', 'a1c2b', false],
  ['a*a', 'a', false],
  ['a**b', 'ab', true],
  ['*ab*ab*', 'abab', true],
  ['*ab*ab*', 'aba', false],
  ['\xff?', '\xff\x00', true],
  ['Ab', 'ab', false],
])('%j against %j is %j', (pattern, text, wanted) => {
  expect(matches(pattern, text)).toBe(wanted)
})

test.each(['[a', 'x[', '[^', '[a\\]', 'a\\', 'a'.repeat(129), '*'.repeat(10_000)])('%.20j is refused', (pattern) => {
  expect(() => compileGlob(pattern)).toThrow(RangeError)
})

/** Tries everything; right, and slow. */
const naive = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return naive(pattern.slice(1), text) || (text !== '' && naive(pattern, text.slice(1)))
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && naive(pattern.slice(1), text.slice(1))
}

test('it decides as trying everything does', () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 12 }).map((parts) => parts.join(''))
  const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 16 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(pattern, text, (each, subject) => matches(each, subject) === naive(each, subject)),
    { numRuns: 5000 },
  )
})

test('runs of more than 32 and 64 places are found wherever they are', () => {
  const run = fc.stringMatching(/^[ab]{30,70}$/)
  const around = fc.stringMatching(/^[ab]{0,80}$/)
  fc.assert(
    fc.property(run, around, around, (part, before, behind) => {
      expect(matches(`*${part}*`, before + part + behind)).toBe(true)
      const text = before + behind
      expect(matches(`*${part}*`, text)).toBe(text.includes(part))
      const bytes = latin1Encode(text)
      expect(compileSubstring(part).matches(bytes, 0, bytes.length)).toBe(text.includes(part))
    }),
    { numRuns: 500 },
  )
})

const fastest = (run: () => void): number => {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round += 1) {
    const from = performance.now()
    run()
    best = Math.min(best, performance.now() - from)
  }
  return best
}

test('13 stars against 50 times a take less than a millisecond', () => {
  const pattern = `${'a*'.repeat(13)}b`
  expect(fastest(() => expect(matches(pattern, 'a'.repeat(50))).toBe(false))).toBeLessThan(1)
})

test('the worst patterns take time in proportion to a text of a MiB', () => {
  const text = new Uint8Array(2 ** 20).fill(0x61)
  // Up to 63 stars, or a run of four words that fits but for its last place.
  const patterns = [`${'a*'.repeat(63)}b`, `*${'a'.repeat(126)}b`, `${'*a'.repeat(62)}*b*`, `*${'?'.repeat(125)}b*`]
  for (const pattern of patterns) {
    const glob = compileGlob(pattern)
    // About 10 ms here; trying everything would not end.
    expect(fastest(() => expect(glob.matches(text, 0, text.length)).toBe(false))).toBeLessThan(200)
  }
})
