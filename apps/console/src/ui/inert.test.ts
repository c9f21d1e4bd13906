import { expect, test } from 'vitest'
import { inert, inertBytes } from './inert.ts'

test('plain text of any script stays as it is', () => {
  for (const text of ['redis-7:6379', 'Grüße, 世界 🙂', '<b>&amp;</b>', 'it\'s: "ok"']) expect(inert(text)).toBe(text)
})

test('controls, bidi marks, zero-width characters and lone surrogates are spelled out', () => {
  expect(inert('a\u202Eb')).toBe('a\\u{202e}b')
  expect(inert('a\u2066b\u2069')).toBe('a\\u{2066}b\\u{2069}')
  expect(inert('a\u200Bb\uFEFF')).toBe('a\\u{200b}b\\u{feff}')
  expect(inert('a\nb\u001B[31m\u0000')).toBe('a\\u{a}b\\u{1b}[31m\\u{0}')
  expect(inert('\uD800')).toBe('\\u{d800}')
  expect(inert('\u2028\u{E000}')).toBe('\\u{2028}\\u{e000}')
})

test('every byte outside of printable ASCII is spelled out', () => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
  const shown = inertBytes(all)
  expect(shown).toMatch(/^[\x20-\x7e]*$/)
  expect(shown).toContain('\\x00\\x01')
  expect(shown).toContain('\\x7f\\x80')
  expect(shown).toContain('\\xff')
  expect(inertBytes('"SET" "a\\xc3" <i>')).toBe('"SET" "a\\xc3" <i>')
})
