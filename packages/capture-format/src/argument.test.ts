import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeArgument, decodeArguments, encodeArgument } from './argument.ts'
import { latin1Decode, latin1Encode } from './latin1.ts'
import { MonitorLine } from './monitor-line.ts'
import { parseMonitorLine } from './parse-line.ts'
import { printMonitorLine } from './print-line.ts'

/** Value, and its text on the wire. */
const VECTORS: [string, string][] = [
  ['a"b', String.raw`"a\"b"`],
  ['c\\d', String.raw`"c\\d"`],
  ['\x00\x01\x07\x08\x0a\x0d\x09\xff\x7f', String.raw`"\x00\x01\a\b\n\r\t\xff\x7f"`],
  ['\\x41', String.raw`"\\x41"`],
  ['a" "b', String.raw`"a\" \"b"`],
  ['x" ', String.raw`"x\" "`],
  ['"] "', String.raw`"\"] \""`],
  ['', '""'],
  ['\xd0\xba', String.raw`"\xd0\xba"`],
  ['\x0b\x0c\x1b', String.raw`"\x0b\x0c\x1b"`],
]

describe.for(VECTORS)('the value %j', ([value, wire]) => {
  test('is written as the server writes it', () => {
    expect(latin1Decode(encodeArgument(latin1Encode(value)))).toBe(wire)
  })

  test('keeps its bytes and its boundaries between other arguments', () => {
    const line = new MonitorLine()
    const bytes = latin1Encode(`+1.000002 [0 1.2.3.4:5] "SET" ${wire} "after" ${wire}`)
    expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBe(null)
    expect(decodeArguments(line).map((argument) => latin1Decode(argument!))).toEqual(['SET', value, 'after', value])
  })
})

test('every byte string decodes to itself after encoding, alone and in a line', () => {
  const line = new MonitorLine()
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 20 }), (args) => {
      for (const argument of args) {
        const wire = encodeArgument(argument)
        expect(decodeArgument(wire, 1, wire.length - 1)).toEqual(argument)
      }
      const bytes = printMonitorLine({ eventUs: 1_795_251_178_482_143, db: '0', source: '[::1]:4', args })
      expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBe(null)
      expect(decodeArguments(line)).toEqual(args)
    }),
    { numRuns: 500 },
  )
})

test('an encoded argument is printable ASCII without a bare quote', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), (argument) => {
      const text = latin1Decode(encodeArgument(argument))
      expect(text).toMatch(/^"([\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\nrtab]|\\x[0-9a-f]{2})*"$/)
    }),
  )
})

test.for(['\\', '\\q', '\\x', '\\x4', '\\xAB', 'a\\x4g'])('the text %j, which no server writes, is refused', (text) => {
  const bytes = latin1Encode(`${text}" "41`)
  expect(() => decodeArgument(bytes, 0, text.length)).toThrow(RangeError)
})

test('a code point over 255 is no byte', () => {
  expect(() => latin1Encode('к')).toThrow(RangeError)
})
