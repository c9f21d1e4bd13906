import fc from 'fast-check'
import { SondeError } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { decodeTailCursor, encodeTailCursor, type TailCursor } from './tail-cursor.ts'

const count = fc.oneof(
  fc.nat(300),
  fc.nat({ max: 2 ** 31 - 1 }),
  fc.maxSafeNat().map((value) => Math.max(0, value - 1)),
)
const positions = fc.record({ seq: count, lineNo: count.map((value) => value - 1), mergeUs: count.map((n) => n - 1) })
const cursors: fc.Arbitrary<TailCursor> = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 2 ** 31 - 1 }), positions), {
    selector: ([segmentNo]) => segmentNo,
    maxLength: 40,
  })
  .map((entries) => new Map(entries))

const refusalOf = (text: string): unknown => {
  try {
    decodeTailCursor(text)
    return undefined
  } catch (error) {
    return error
  }
}

test('a cursor that was encoded decodes to itself', () => {
  fc.assert(
    fc.property(cursors, (cursor) => {
      const text = encodeTailCursor(cursor)
      expect(text).not.toBe('')
      expect(decodeTailCursor(text)).toEqual(cursor)
    }),
  )
})

test('the order in which segments were reached does not change the text', () => {
  const position = { seq: 5, lineNo: 4999, mergeUs: 1_795_500_000_000_000 }
  const there = new Map([1, 70_000].map((segmentNo) => [segmentNo, position]))
  const back = new Map([...there].toReversed())
  expect(encodeTailCursor(back)).toBe(encodeTailCursor(there))
})

test('a thousand segments fit into the length that a cursor may have', () => {
  const position = { seq: 10 ** 9, lineNo: 5000, mergeUs: 1_795_500_000_000_000 }
  const cursor = new Map(Array.from({ length: 1024 }, (_, segmentNo) => [segmentNo, position]))
  expect(encodeTailCursor(cursor).length).toBeLessThan(65_536)
})

test('any other text either decodes or is an invalid request', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.uint8Array().map(toBase64Url)), (text) => {
      const refusal = refusalOf(text)
      if (refusal === undefined) return
      expect(refusal).toBeInstanceOf(SondeError)
      expect(refusal).toMatchObject({ code: 'request.invalid' })
    }),
  )
})

test.each([
  ['nothing', ''],
  ['another version', toBase64Url(Uint8Array.of(2))],
  ['a position that breaks off', toBase64Url(Uint8Array.of(1, 0, 5, 1))],
  ['a number that never ends', toBase64Url(new Uint8Array(30).fill(255).with(0, 1))],
  ['a segment that comes twice', toBase64Url(Uint8Array.of(1, 0, 5, 1, 1, 0, 6, 1, 1))],
  ['a sign that base64url has not', 'AQ=='],
])('%s is no cursor', (_what, text) => {
  expect(refusalOf(text)).toMatchObject({ code: 'request.invalid' })
})

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
