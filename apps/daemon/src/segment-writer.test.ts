import { redactionRulesSchema } from '@sonde/contracts'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { scanInto, wireLine } from '../test/lines.ts'
import { compileRedaction } from './line-redaction.ts'
import type { LineSelection } from './line-selection.ts'
import { redactionKeyOf } from './redaction-key.ts'
import { BEGIN_US, identityHolds, startWriter, testSlice as slice } from '../test/writer.ts'

const start = (options: Parameters<typeof startWriter>[1] = {}) => startWriter(new ManualClock(), options)

test('two lines and the end of the source are one chunk with both lines', () => {
  const { writer, feed, chunks, ends, texts } = start()
  feed(2)
  writer.terminate('completed', 'source_ended')
  expect(chunks.map(({ seq, lineCount }) => [seq, lineCount])).toEqual([[0, 2]])
  expect(texts()[0]).toBe(
    '1767225600.000000 [0 127.0.0.1:50000] "SET" "k0" "v"\n1767225600.000001 [0 127.0.0.1:50000] "SET" "k1" "v"\n',
  )
  expect(chunks[0]).toMatchObject({ firstEventUs: BEGIN_US, lastEventUs: BEGIN_US + 1, hasCutLine: false })
  expect(ends).toEqual([{ outcome: 'completed', reason: 'source_ended', detail: null }])
})

test('of several ends the first wins and is told once', () => {
  const { writer, ends } = start()
  writer.terminate('completed', 'manual_stop')
  writer.terminate('failed', 'source_error', 'too late')
  writer.terminate('truncated', 'overrun')
  expect(ends).toEqual([{ outcome: 'completed', reason: 'manual_stop', detail: null }])
  expect(writer.end?.reason).toBe('manual_stop')
})

test('the line that reaches the byte cap is kept, and ends the segment', () => {
  // One line has 53 bytes with its LF.
  const { writer, feed, ends, chunks } = start({ slice: slice({ bytes: 60 }) })
  feed(3)
  expect(ends).toEqual([{ outcome: 'truncated', reason: 'byte_cap', detail: null }])
  expect(writer.counters).toMatchObject({ received: 2, recorded: 2, recordedBytes: 106 })
  expect(chunks.map(({ lineCount }) => lineCount)).toEqual([2])
})

test('a line cap of three stores exactly three lines and ignores the fourth', () => {
  const { writer, feed, ends, chunks } = start({ slice: slice({ lines: 3 }) })
  feed(4)
  expect(ends).toEqual([{ outcome: 'truncated', reason: 'line_cap', detail: null }])
  expect(writer.counters.received).toBe(3)
  expect(chunks[0]?.lineCount).toBe(3)
})

test('bytes are checked before lines', () => {
  const { feed, ends } = start({ slice: slice({ bytes: 1, lines: 1 }) })
  feed(1)
  expect(ends[0]?.reason).toBe('byte_cap')
})

test('the duration ends the segment as completed and the open chunk is cut', () => {
  const { clock, feed, ends, chunks } = start({ durationMs: 100 })
  feed(1)
  clock.advance(99)
  expect(ends).toEqual([])
  clock.advance(1)
  expect(ends).toEqual([{ outcome: 'completed', reason: 'duration_cap', detail: null }])
  expect(chunks.map(({ lineCount }) => lineCount)).toEqual([1])
  expect(clock.pending).toBe(0)
})

test('a chunk is cut at its number of lines, numbered from 0 without holes', () => {
  const { writer, feed, chunks } = start({ chunk: { bytes: 1e6, ms: 500, lines: 3, maxLineBytes: 1024 } })
  feed(8)
  writer.terminate('completed', 'manual_stop')
  expect(chunks.map(({ seq, lineCount }) => [seq, lineCount])).toEqual([
    [0, 3],
    [1, 3],
    [2, 2],
  ])
})

test('a chunk is cut when its time is over, counted from its first line', () => {
  const { clock, feed, chunks } = start()
  clock.advance(10_000)
  expect(chunks).toEqual([])
  feed(1)
  clock.advance(499)
  expect(chunks).toEqual([])
  clock.advance(1)
  expect(chunks.map(({ lineCount }) => lineCount)).toEqual([1])
  clock.advance(5000)
  expect(chunks).toHaveLength(1)
})

test('twenty lines of one read are counted at once and cut in their order', () => {
  const { writer, feed, texts } = start()
  feed(20)
  expect(writer.counters.recorded).toBe(20)
  writer.terminate('completed', 'manual_stop')
  expect(
    [
      ...texts()
        .join('')
        .matchAll(/"k(\d+)"/g),
    ].map(([, n]) => Number(n)),
  ).toEqual([...Array(20).keys()])
})

test('lines before a source error are cut, and the words of the error are kept', () => {
  const { writer, feed, chunks, ends } = start()
  feed(5)
  writer.terminate('failed', 'source_error', 'read ECONNRESET')
  expect(chunks[0]?.lineCount).toBe(5)
  expect(ends).toEqual([{ outcome: 'failed', reason: 'source_error', detail: 'read ECONNRESET' }])
})

test('a line longer than a chunk is a chunk of its own, and a line over the limit is cut and counted', () => {
  const { writer, feed, chunks } = start({ chunk: { bytes: 1024, ms: 500, lines: 100, maxLineBytes: 1024 } })
  feed(1)
  feed(1, 'x'.repeat(10 * 2 ** 20))
  feed(1)
  writer.terminate('completed', 'manual_stop')
  expect(chunks.map(({ lineCount, hasCutLine }) => [lineCount, hasCutLine])).toEqual([
    [1, false],
    [1, true],
    [1, false],
  ])
  expect(chunks[1]!.lines.length).toBeLessThanOrEqual(1025)
  expect(writer.counters).toMatchObject({ cut: 1, malformed: 0, recorded: 3 })
})

test('a cut line is the last of its chunk', () => {
  const { writer, feed, chunks } = start({ chunk: { bytes: 1e6, ms: 500, lines: 100, maxLineBytes: 1024 } })
  feed(2)
  feed(1, 'x'.repeat(5000))
  feed(1)
  writer.terminate('completed', 'manual_stop')
  expect(chunks.map(({ lineCount, hasCutLine }) => [lineCount, hasCutLine])).toEqual([
    [3, true],
    [1, false],
  ])
})

test('lines before the begin are not of the segment, and after the first line arrival decides', () => {
  const { writer, scanner } = start()
  scanner.push(wireLine(BEGIN_US - 1, 'SET', 'early', 'v'))
  expect(writer.counters.received).toBe(0)
  scanner.push(wireLine(BEGIN_US, 'SET', 'first', 'v'))
  scanner.push(wireLine(BEGIN_US - 5, 'SET', 'clock stepped back', 'v'))
  expect(writer.counters.recorded).toBe(2)
})

test('own traffic is counted and not recorded', () => {
  const { writer } = start()
  const scanner = scanInto(
    (line) => writer.line(line),
    (line) => line.parsed.argc === 1,
  )
  scanner.push(Buffer.concat([wireLine(BEGIN_US, 'INFO'), wireLine(BEGIN_US, 'GET', 'k')]))
  expect(writer.counters).toMatchObject({ received: 2, recorded: 1, ownTraffic: 1 })
})

test('a malformed line is recorded raw and counted', () => {
  const { writer, feed, scanner, texts } = start()
  feed(1)
  scanner.push(Buffer.from('+1767225600.000009 [0 1.2.3.4:5] GET k\r\n'))
  writer.terminate('completed', 'manual_stop')
  expect(writer.counters).toMatchObject({ recorded: 2, malformed: 1, cut: 0 })
  expect(texts()[0]).toContain('\n1767225600.000009 [0 1.2.3.4:5] GET k\n')
})

const more = { lastBytes: false, lastLines: false }

test('the next slice is asked for once, when half is used', () => {
  const { writer, feed, asked } = start({ slice: slice({ lines: 10, ...more }) })
  feed(4)
  expect([asked(), writer.halfUsed]).toEqual([0, false])
  feed(1)
  expect([asked(), writer.halfUsed]).toEqual([1, true])
  feed(2)
  expect(asked()).toBe(1)
  writer.grant(slice({ sliceNo: 1, lines: 10, ...more }))
  expect([writer.sliceNo, writer.halfUsed, asked()]).toEqual([1, false, 1])
})

test('lines that come while a slice is used up wait for the grant and keep their order', () => {
  const { writer, feed, ends, texts } = start({ slice: slice({ lines: 2, ...more }) })
  feed(5)
  expect(writer.counters).toMatchObject({ received: 2, recorded: 2 })
  writer.grant(slice({ sliceNo: 1, lines: 3 }))
  expect(writer.counters).toMatchObject({ received: 5, recorded: 5, dropped: 0 })
  expect(ends).toEqual([{ outcome: 'truncated', reason: 'line_cap', detail: null }])
  expect(
    [
      ...texts()
        .join('')
        .matchAll(/"k(\d+)"/g),
    ].map(([, n]) => Number(n)),
  ).toEqual([0, 1, 2, 3, 4])
})

test('a grant that is repeated or older changes nothing', () => {
  const { writer, feed } = start({ slice: slice({ lines: 2, ...more }) })
  writer.grant(slice({ sliceNo: 1, lines: 1, ...more }))
  writer.grant(slice({ sliceNo: 1, lines: 1, ...more }))
  writer.grant(slice({ sliceNo: 0, lines: 100 }))
  feed(10)
  expect(writer.counters.recorded).toBe(3)
})

test('without a grant within two seconds the segment ends truncated, and what waited is not of it', () => {
  const { writer, feed, ends, clock } = start({ slice: slice({ lines: 2, ...more }) })
  feed(5)
  clock.advance(1999)
  expect(ends).toEqual([])
  clock.advance(1)
  expect(ends[0]).toMatchObject({ outcome: 'truncated', reason: 'line_cap' })
  expect(ends[0]?.detail).toContain('2000 ms')
  expect(writer.counters).toMatchObject({ received: 2, recorded: 2, dropped: 0 })
})

test('more than four MiB that wait for a grant end the segment at its cap', () => {
  const { writer, feed, ends } = start({ slice: slice({ lines: 1, ...more }) })
  feed(5000, 'x'.repeat(900))
  expect(ends[0]).toMatchObject({ outcome: 'truncated', reason: 'line_cap' })
  expect(writer.counters.recorded).toBe(1)
})

test('a stop while lines wait for a grant counts them as dropped', () => {
  const { writer, feed } = start({ slice: slice({ lines: 2, ...more }) })
  feed(5)
  writer.terminate('completed', 'manual_stop')
  expect(writer.counters).toMatchObject({ received: 5, recorded: 2, dropped: 3 })
  expect(identityHolds(writer)).toBe(true)
})

test('a line is redacted before it waits or counts, after it was selected', () => {
  const key = redactionKeyOf(new Uint8Array(32))
  const chunk = { bytes: 1e6, ms: 500, lines: 100, maxLineBytes: 1024 }
  const redact = compileRedaction({ policy: redactionRulesSchema.parse({ level: 'full' }), chunk }, key)
  const select: LineSelection = ({ bytes, start: from, end }) =>
    Buffer.from(bytes.subarray(from, end)).includes('unwanted') ? 'filtered' : null
  const { writer, feed, texts } = start({ redact, select, slice: slice({ lines: 1, lastLines: false }) })
  feed(1, 'first secret')
  feed(1, 'second secret')
  feed(1, 'unwanted secret')
  writer.grant(slice({ sliceNo: 1, lines: 9 }))
  writer.terminate('completed', 'manual_stop')
  const text = texts().join('')
  expect(text).toMatch(/"k0" ~12:[0-9a-f]{16}\n.*"k1" ~13:[0-9a-f]{16}\n$/)
  expect(writer.counters).toMatchObject({ recorded: 2, filtered: 1, recordedBytes: text.length })
})
