import { CAPTURE_LIMITS } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextSlice, remaining, type Share } from './budget.ts'

const { chunk } = CAPTURE_LIMITS

test('a small line cap on one target is granted whole and said to be the last', () => {
  expect(nextSlice({ bytes: 50 * 2 ** 20, lines: 3 }, 1, 0)).toMatchObject({
    lines: 3,
    lastLines: true,
    lastBytes: false,
  })
})

test('a slice is half of the fair share while more than a chunk is left', () => {
  const slice = nextSlice({ bytes: 60 * 2 ** 20, lines: 600_000 }, 3, 4)
  expect(slice).toEqual({ sliceNo: 4, bytes: 10 * 2 ** 20, lines: 100_000, lastBytes: false, lastLines: false })
})

test('a slice is never less than one chunk while that much is left', () => {
  expect(nextSlice({ bytes: chunk.bytes + 1, lines: chunk.lines + 1 }, 8, 1)).toMatchObject({
    bytes: chunk.bytes,
    lines: chunk.lines,
    lastBytes: false,
    lastLines: false,
  })
})

test('the slices of any run of grants and ends never exceed the caps', () => {
  const step = fc.record({
    segment: fc.nat(4),
    use: fc.double({ min: 0, max: 1, noNaN: true }),
    end: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e7 }), fc.array(step, { maxLength: 60 }), (cap, steps) => {
      const caps = { bytes: cap * 100, lines: cap }
      const shares: Share[] = Array.from({ length: 5 }, () => ({
        live: true,
        grantedBytes: 0,
        grantedLines: 0,
        usedBytes: 0,
        usedLines: 0,
      }))
      for (const { segment, use, end } of steps) {
        const share = shares[segment]!
        if (!share.live) continue
        const slice = nextSlice(remaining(caps, shares), shares.filter((each) => each.live).length, 0)
        share.grantedBytes += slice.bytes
        share.grantedLines += slice.lines
        share.usedLines += Math.floor((share.grantedLines - share.usedLines) * use)
        share.usedBytes += Math.floor((share.grantedBytes - share.usedBytes) * use)
        share.live = !end
        const held = (of: (each: Share) => number) => shares.reduce((sum, each) => sum + of(each), 0)
        expect(held((each) => (each.live ? each.grantedLines : each.usedLines))).toBeLessThanOrEqual(caps.lines)
        expect(held((each) => (each.live ? each.grantedBytes : each.usedBytes))).toBeLessThanOrEqual(caps.bytes)
      }
    }),
  )
})

test('what an ended segment did not use returns', () => {
  const ended = { live: false, grantedBytes: 1000, grantedLines: 100, usedBytes: 400, usedLines: 30 }
  expect(remaining({ bytes: 2000, lines: 200 }, [ended])).toEqual({ bytes: 1600, lines: 170 })
})
