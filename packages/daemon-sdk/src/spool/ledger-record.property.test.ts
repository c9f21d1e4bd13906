import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRecords, encodeRecord, type LedgerRecord } from './ledger-record.ts'

const note = fc.record({ kind: fc.constant('note' as const), note: fc.jsonValue({ noUnicodeString: false }) })
const cut = fc.record({
  kind: fc.constant('cut' as const),
  seq: fc.maxSafeNat(),
  sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  lines: fc.nat(),
  bytes: fc.nat(),
  lastEventUs: fc.maxSafeInteger(),
})
const range = fc.tuple(fc.nat(), fc.nat())
const freed = fc.record({ kind: fc.constant('freed' as const), ranges: fc.array(range, { maxLength: 4 }) })
const records = fc.array(fc.oneof(note, cut, freed), { minLength: 1, maxLength: 6 })

/** As they come back: JSON has no -0. */
const plain = (all: LedgerRecord[]): unknown => JSON.parse(JSON.stringify(all))
const write = (all: LedgerRecord[]): Buffer => Buffer.from(all.map(encodeRecord).join(''))

test('records come back as they were written', () => {
  fc.assert(
    fc.property(records, (all) => {
      const bytes = write(all)
      expect(decodeRecords(bytes)).toEqual({ records: plain(all), damaged: 0, wholeBytes: bytes.length })
    }),
  )
})

test('torn at any byte, the records that are whole come back, and nothing else', () => {
  fc.assert(
    fc.property(records, (all) => {
      const bytes = write(all)
      const ends = all.map((_, index) => write(all.slice(0, index + 1)).length)
      for (let length = 0; length <= bytes.length; length += 1) {
        const whole = ends.filter((end) => end <= length).length
        expect(decodeRecords(bytes.subarray(0, length))).toEqual({
          records: plain(all.slice(0, whole)),
          damaged: 0,
          wholeBytes: ends[whole - 1] ?? 0,
        })
      }
    }),
    { numRuns: 30 },
  )
})

test('a flipped bit costs the record that holds it, or the two that its LF divides, and is counted', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.nat(7), (all, place, bit) => {
      const bytes = write(all)
      const at = place % bytes.length
      bytes[at]! ^= 1 << bit
      const ends = all.map((_, index) => write(all.slice(0, index + 1)).length)
      const hit = ends.findIndex((end) => at < end)
      const isLf = at === ends[hit]! - 1
      const rest = all.filter((_, index) => index !== hit && !(isLf && index === hit + 1))
      const { records: found, damaged, wholeBytes } = decodeRecords(bytes)
      expect(found).toEqual(plain(rest))
      // Without its LF the last record is a torn one.
      if (isLf && hit === all.length - 1) expect(wholeBytes).toBe(ends[hit - 1] ?? 0)
      else expect(damaged).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})
