import type { Clock, Slice } from '@sonde/contracts'
import type { CutChunk } from '../src/chunk-buffer.ts'
import { SegmentWriter, type SegmentEnd, type SegmentWriterOptions } from '../src/segment-writer.ts'
import { scanInto, wireLine } from './lines.ts'

/** When the writer of a test begins, in microseconds; the same moment as the clock's. */
export const BEGIN_US = 1_767_225_600_000_000
/** A slice that is the last and too large to matter, but for the fields given. */
export const testSlice = (fields: Partial<Slice> = {}): Slice => ({
  sliceNo: 0,
  bytes: 2 ** 30,
  lines: 1_000_000,
  lastBytes: true,
  lastLines: true,
  ...fields,
})

/** A writer that has begun, and all that it tells. For tests. */
export const startWriter = <AnyClock extends Clock>(
  clock: AnyClock,
  options: Partial<Pick<SegmentWriterOptions, 'slice' | 'durationMs' | 'chunk' | 'select' | 'redact'>> = {},
) => {
  const chunks: CutChunk[] = []
  const ends: SegmentEnd[] = []
  let asked = 0
  const writer = new SegmentWriter({
    redact: (line) => line,
    chunk: { bytes: 256 * 1024, ms: 500, lines: 5000, maxLineBytes: 1024 },
    slice: testSlice(),
    durationMs: 30_000,
    clock,
    events: {
      chunk: (chunk) => chunks.push(chunk),
      halfUsed: () => (asked += 1),
      ended: (end) => ends.push(end),
    },
    ...options,
  })
  writer.begin(BEGIN_US)
  const scanner = scanInto((line) => writer.line(line))
  let made = 0
  const feed = (count: number, value = 'v'): void => {
    for (let index = 0; index < count; index += 1) {
      scanner.push(wireLine(BEGIN_US + made, 'SET', `k${made}`, value))
      made += 1
    }
  }
  const texts = (): string[] => chunks.map(({ lines }) => Buffer.from(lines).toString('latin1'))
  return { writer, clock, chunks, ends, feed, scanner, texts, asked: () => asked }
}

/** The identity of the counters. */
export const identityHolds = ({ counters }: SegmentWriter): boolean =>
  counters.received ===
  counters.recorded + counters.filtered + counters.sampledOut + counters.ownTraffic + counters.dropped
