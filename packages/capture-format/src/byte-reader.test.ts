import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const malformed = (what: string): Error => new Error(what)

test('numbers and bytes come back as they were written', () => {
  const part = fc.oneof(fc.maxSafeNat(), fc.uint8Array({ maxLength: 40 }))
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const out = new ByteWriter()
      for (const each of parts) {
        if (typeof each === 'number') out.number(each)
        else out.all(each)
      }
      const read = new ByteReader(out.bytes.slice(0, out.length), malformed)
      for (const each of parts) {
        if (typeof each === 'number') expect(read.number('a number')).toBe(each)
        else expect([...read.bytes('bytes', each.length)]).toEqual([...each])
      }
      expect(read.isAtEnd).toBe(true)
    }),
  )
})

test.each([
  ['digits without end', new Uint8Array(1000).fill(128), 'a number is out of range'],
  [
    'digits without end, and an end',
    Uint8Array.from([...new Uint8Array(1000).fill(128), 0]),
    'a number is out of range',
  ],
  ['a digit too few', Uint8Array.of(128), 'it ends in a number'],
  ['a number above the bound', Uint8Array.of(11), 'a number is out of range'],
])('%s are told, and no number is made of them', (_, bytes, what) => {
  expect(() => new ByteReader(bytes, malformed).number('a number', 10)).toThrow(what)
})
