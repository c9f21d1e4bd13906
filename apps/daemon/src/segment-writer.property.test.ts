import fc from 'fast-check'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { scanInto, wireLine } from '../test/lines.ts'
import { BEGIN_US, identityHolds, startWriter, testSlice as slice } from '../test/writer.ts'

const start = (options: Parameters<typeof startWriter>[1] = {}) => startWriter(new ManualClock(), options)

const more = { lastBytes: false, lastLines: false }

test('whatever comes in whatever pieces, the counters add up and the chunks are the lines of the source', () => {
  const lineArb = fc.oneof(
    { weight: 8, arbitrary: fc.string({ maxLength: 40 }).map((text) => ({ kind: 'line' as const, text })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'own' as const, text: '' }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'malformed' as const, text: '' }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'long' as const, text: '' }) },
  )
  fc.assert(
    fc.property(
      fc.array(lineArb, { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 }),
      fc.record({
        bytes: fc.integer({ min: 1024, max: 3000 }),
        lines: fc.integer({ min: 1, max: 20 }),
        slices: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 5 }),
      }),
      (items, sizes, bounds) => {
        const { writer, chunks, texts, ends, clock } = start({
          chunk: { bytes: bounds.bytes, ms: 500, lines: bounds.lines, maxLineBytes: 1024 },
          slice: slice({ lines: bounds.slices[0]!, ...more }),
        })
        const wanted: string[] = []
        const wire: Buffer[] = []
        for (const [index, { kind, text }] of items.entries()) {
          const key = Buffer.from(text, 'utf8').toString('latin1')
          if (kind === 'malformed') wire.push(Buffer.from(`+${1_767_225_601 + index}.000000 [0 1.2.3.4:5] GET "k"\r\n`))
          else if (kind === 'long') wire.push(wireLine(BEGIN_US + index, 'GET', 'y'.repeat(3000)))
          else wire.push(kind === 'own' ? wireLine(BEGIN_US + index, 'INFO') : wireLine(BEGIN_US + index, 'GET', key))
        }
        const stream = Buffer.concat(wire)
        const isOwn = (line: { parsed: { argc: number } }): boolean => line.parsed.argc === 1
        const oracle = scanInto((line) => {
          if (!isOwn(line)) wanted.push(Buffer.from(line.bytes.slice(line.start, line.end)).toString('latin1'))
        })
        oracle.push(stream)

        const scanner = scanInto((line) => writer.line(line), isOwn)
        let nextSlice = 1
        for (let pos = 0, step = 0; pos < stream.length; step += 1) {
          const size = sizes[step % sizes.length]!
          scanner.push(stream.subarray(pos, pos + size))
          pos += size
          if (!identityHolds(writer)) return false
          const lines = bounds.slices[nextSlice]
          if (step % 3 === 2 && lines !== undefined) {
            const isLast = nextSlice === bounds.slices.length - 1
            writer.grant(slice({ sliceNo: nextSlice, lines, lastBytes: isLast, lastLines: isLast }))
            nextSlice += 1
            if (!identityHolds(writer)) return false
          }
        }
        writer.terminate('completed', 'manual_stop')
        const stored = texts().join('')
        const granted = bounds.slices.slice(0, nextSlice).reduce((sum, lines) => sum + lines, 0)
        const expected = wanted.slice(0, writer.counters.recorded)
        expect(stored).toBe(expected.map((line) => `${line}\n`).join(''))
        expect(writer.counters.recorded).toBeLessThanOrEqual(granted)
        expect(writer.counters.recordedBytes).toBe(stored.length)
        expect(chunks.map(({ seq }) => seq)).toEqual([...chunks.keys()])
        for (const { lines, lineCount } of chunks) {
          expect(lineCount).toBeLessThanOrEqual(bounds.lines)
          expect(lines.length).toBeLessThanOrEqual(Math.max(bounds.bytes, 1025))
        }
        if (writer.end?.reason === 'manual_stop') expect(writer.counters.dropped + expected.length).toBe(wanted.length)
        expect(identityHolds(writer)).toBe(true)
        expect(ends).toHaveLength(1)
        expect(clock.pending).toBe(0)
        return true
      },
    ),
    { numRuns: 300 },
  )
})
