import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareManifest, type StoredManifest } from './compare-manifest.ts'

const ROOT = 'a'.repeat(64)
const manifestOf = (chunks: number) => ({ chunks, lines: chunks * 2, bytes: chunks * 100, root: ROOT })
const storedOf = (seqs: number[], chunks: number, root = ROOT): StoredManifest => {
  const within = seqs.filter((seq) => seq < chunks)
  return { within: { ...manifestOf(within.length), root }, seqs: within, extra: seqs.length - within.length }
}

const seqs = fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 60 }).map((list) => list.toSorted((a, b) => a - b))

test('what is missing is exactly the numbers that are not stored, as ascending ranges that lie apart', () => {
  fc.assert(
    fc.property(seqs, fc.nat({ max: 60 }), (stored, chunks) => {
      const { missing, extra, isEqual } = compareManifest(manifestOf(chunks), storedOf(stored, chunks))
      const wanted = Array.from({ length: chunks }, (_, seq) => seq).filter((seq) => !stored.includes(seq))
      const told = missing.flatMap(({ fromSeq, toSeq }) =>
        Array.from({ length: toSeq - fromSeq + 1 }, (_, at) => fromSeq + at),
      )
      expect(told).toEqual(wanted)
      for (const [at, { fromSeq, toSeq }] of missing.entries()) {
        expect(fromSeq).toBeGreaterThanOrEqual(0)
        expect(toSeq).toBeGreaterThanOrEqual(fromSeq)
        expect(toSeq).toBeLessThan(chunks)
        expect(fromSeq).toBeGreaterThan((missing[at - 1]?.toSeq ?? -2) + 1)
      }
      expect(extra).toBe(stored.filter((seq) => seq >= chunks).length)
      expect(isEqual).toBe(wanted.length === 0 && extra === 0)
    }),
  )
})

test('another content under the same numbers is no proof: all of them are told', () => {
  expect(compareManifest(manifestOf(3), storedOf([0, 1, 2], 3, 'b'.repeat(64)))).toEqual({
    isEqual: false,
    missing: [{ fromSeq: 0, toSeq: 2 }],
    extra: 0,
  })
})

test('a manifest of nothing proves only a segment of nothing', () => {
  expect(compareManifest(manifestOf(0), storedOf([], 0))).toEqual({ isEqual: true, missing: [], extra: 0 })
  expect(compareManifest(manifestOf(0), storedOf([0, 7], 0))).toEqual({ isEqual: false, missing: [], extra: 2 })
  expect(compareManifest({ ...manifestOf(0), lines: 1 }, storedOf([], 0))).toMatchObject({ isEqual: false })
})
