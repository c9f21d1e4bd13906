import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cropped, displayWidth, plainJson, plainLatin1, plainText } from './plain-text.ts'

const anyText = fc.string({ unit: 'binary', maxLength: 60 })

describe('plainText', () => {
  test('escape sequences, bidi overrides and line ends are shown, not obeyed', () => {
    expect(plainText('a\u001b[2Jb')).toBe('a\\x1b[2Jb')
    expect(plainText('pay\u202etxt.exe')).toBe('pay\\u{202e}txt.exe')
    expect(plainText('one\r\ntwo\u2028three')).toBe('one\\r\\ntwo\\u{2028}three')
    expect(plainText('\u009b31m\u0007')).toBe('\\x9b31m\\x07')
    expect(plainText('\ud800')).toBe('\\u{d800}')
  })

  test('ordinary text of any script stays as it is', () => {
    expect(plainText('Grüße, 東京 🚀 "quoted" \\n')).toBe('Grüße, 東京 🚀 "quoted" \\n')
  })

  test('whatever comes in, nothing that acts on a terminal comes out, and again changes nothing', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const plain = plainText(text)
        expect(plain).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
        expect(plainText(plain)).toBe(plain)
      }),
    )
  })
})

test('bytes read as Latin-1 come out as ASCII, the others as a server writes them', () => {
  expect(plainLatin1('"k\u00e9\u001b" ~')).toBe('"k\\xe9\\x1b" ~')
})

test('plain JSON parses to the same value and holds nothing that acts on a terminal', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom(undefined, 2), (text, indent) => {
      const json = plainJson({ [text]: [text] }, indent)
      expect(JSON.parse(json)).toEqual({ [text]: [text] })
      expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
    }),
  )
})

describe('width', () => {
  test('wide characters count two columns and combining marks none', () => {
    expect(displayWidth('東京')).toBe(4)
    expect(displayWidth('e\u0301a')).toBe(2)
    expect(displayWidth('🚀')).toBe(2)
  })

  test('a cropped text never takes more columns than it may', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 30 }), (text, columns) => {
        expect(displayWidth(cropped(plainText(text), columns))).toBeLessThanOrEqual(columns)
      }),
    )
    expect(cropped('abcdef', 4)).toBe('abc…')
    expect(cropped('abcd', 4)).toBe('abcd')
  })
})
