import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planBacklog, type KnownEnd } from './tail-backlog.ts'
import type { TailCursor } from './tail-cursor.ts'

interface Row {
  segmentNo: number
  seq: number
  lineNo: number
  mergeUs: number
}

/** Chunks of a segment as lists of event times. */
type Chunks = number[][]

const rowsOf = (segmentNo: number, chunks: Chunks): Row[] => {
  let mergeUs = -1
  return chunks.flatMap((times, seq) =>
    times.map((time, lineNo) => {
      mergeUs = Math.max(mergeUs, time)
      return { segmentNo, seq, lineNo, mergeUs }
    }),
  )
}
const inOrder = (rows: Row[]): Row[] => rows.toSorted((a, b) => a.mergeUs - b.mergeUs || a.segmentNo - b.segmentNo)

const factsOf = (chunks: Chunks) =>
  chunks
    .map((times, seq) => ({
      seq,
      lineCount: times.length,
      firstEventUs: times.at(0) ?? -1,
      lastEventUs: times.at(-1) ?? -1,
    }))
    .toReversed()

/** Drives the plan as the tail does, with pages of `page` facts, and tells how many facts it needed. */
const plan = (capture: Chunks[], lines: number, page: number) => {
  const ends: KnownEnd[] = capture.map((_, segmentNo) => ({ segmentNo, facts: [], isWhole: false }))
  for (;;) {
    const answer = planBacklog(ends, lines)
    if (answer.kind === 'start') return { ...answer, facts: ends.reduce((sum, end) => sum + end.facts.length, 0) }
    for (const segmentNo of answer.segmentNos) {
      const end = ends[segmentNo]!
      const more = factsOf(capture[segmentNo]!).slice(end.facts.length, end.facts.length + page)
      end.facts.push(...more)
      end.isWhole = more.length < page
    }
  }
}

const shownAfter = (capture: Chunks[], { cursor, skip }: { cursor: TailCursor; skip: number }): Row[] => {
  const read = capture.flatMap((chunks, segmentNo) =>
    rowsOf(segmentNo, chunks).filter((row) => row.seq >= (cursor.get(segmentNo)?.seq ?? 0)),
  )
  return inOrder(read).slice(skip)
}

/** Segments whose event times ascend and are all different, so that the last N lines are one certain set. */
const captures: fc.Arbitrary<Chunks[]> = fc
  .array(fc.array(fc.array(fc.nat(20), { maxLength: 6 }), { maxLength: 8 }), { minLength: 1, maxLength: 4 })
  .map((segments) =>
    segments.map((chunks, segmentNo) => {
      let time = 0
      return chunks.map((steps) =>
        steps.map((step) => {
          time += step + 1
          return time * 10 + segmentNo
        }),
      )
    }),
  )

test('the backlog is the last lines of all segments in merged order', () => {
  fc.assert(
    fc.property(captures, fc.nat(60), fc.integer({ min: 1, max: 5 }), (capture, lines, page) => {
      const all = inOrder(capture.flatMap((chunks, segmentNo) => rowsOf(segmentNo, chunks)))
      const shown = shownAfter(capture, plan(capture, lines, page))
      expect(shown).toEqual(all.slice(Math.max(0, all.length - lines)))
    }),
    { numRuns: 500 },
  )
})

test('the backlog is as long as asked for when a clock steps back too', () => {
  const times = fc.array(fc.array(fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }), { maxLength: 8 }), {
    maxLength: 4,
  })
  fc.assert(
    fc.property(times, fc.nat(60), fc.integer({ min: 1, max: 5 }), (capture, lines, page) => {
      const total = capture.flat(2).length
      expect(shownAfter(capture, plan(capture, lines, page))).toHaveLength(Math.min(lines, total))
    }),
    { numRuns: 500 },
  )
})

test('of a long capture only the end is looked at', () => {
  const long: Chunks = Array.from({ length: 5000 }, (_, seq) => [seq * 10, seq * 10 + 5])
  expect(plan([long, long], 100, 64)).toMatchObject({ skip: 0, facts: 128 })
})
