import { newId, type Counters } from '@sonde/contracts'
import { MemorySpool } from '@sonde/daemon-sdk'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { redactionKeyOf } from './redaction-key.ts'
import { Segment, type OpenCommand, type Shipper } from './segment.ts'
import type { SegmentPast } from './segment-past.ts'
import { scanLines } from './source/scan-lines.ts'
import { NO_COST, type Source, type SourceSink } from './source/source.ts'
import { TargetReader } from './target-reader.ts'

const COUNTERS: Counters = {
  received: 1,
  recorded: 1,
  filtered: 0,
  sampledOut: 0,
  ownTraffic: 0,
  malformed: 0,
  cut: 0,
  dropped: 0,
  recordedBytes: 10,
}
const command: OpenCommand = {
  kind: 'segment.open',
  captureId: newId(),
  segmentNo: 0,
  targetId: newId(),
  durationMs: 60_000,
  chunk: { bytes: 16_384, ms: 50, lines: 5000, maxLineBytes: 2 ** 20 },
  slice: { sliceNo: 0, bytes: 2 ** 30, lines: 1e6, lastBytes: true, lastLines: true },
  policyRevision: 1,
  policy: { level: 'none', keyPatterns: [], keepKeyPrefix: false },
}

/** A server whose lines the test writes, and whose opening is over when the test says so. */
const scriptedSource = () => {
  const opened = Promise.withResolvers<void>()
  let push: (line: string) => void = () => undefined
  const source: Source = {
    dialect: 'bracket',
    cost: NO_COST,
    open: (sink: SourceSink) => {
      const scanner = scanLines({
        sink,
        dialect: 'bracket',
        maxLineBytes: 2 ** 20,
        isClosed: () => false,
        isOwn: () => false,
        onReply: () => undefined,
      })
      push = (line) => scanner.push(Buffer.from(`${line}\r\n`))
      return opened.promise
    },
    fence: () => Promise.resolve(),
    close: () => undefined,
  }
  const lineAt = (us: number) => push(`+${(us / 1e6).toFixed(6)} [0 127.0.0.1:50000] "SET" "k" "v"`)
  return { source, lineAt, ready: () => opened.resolve() }
}

test('lines that come before a segment goes on after a restart are part of its gap', async () => {
  const clock = new ManualClock()
  const spool = new MemorySpool()
  const shipper: Shipper = {
    enqueue: (chunk) => spool.append(chunk),
    settled: (id) => spool.acknowledge(id),
    flushed: () => Promise.resolve(),
    resend: () => Promise.resolve([]),
    discard: (captureId, segmentNo) => spool.discard(captureId, segmentNo),
  }
  const cut = { seq: 0, sha256: '00'.repeat(32), lines: 1, bytes: 10, lastEventUs: 1_000_000 }
  const past: SegmentPast = {
    command,
    slices: [command.slice],
    begunAtMs: clock.now(),
    counters: COUNTERS,
    gaps: [],
    end: undefined,
    chunks: [cut],
    lost: [],
    lastWriteMs: clock.now(),
  }
  const segment = new Segment({
    command,
    shipper,
    redactionKey: redactionKeyOf(new Uint8Array(32)),
    note: () => Promise.resolve(),
    past,
    changed: () => undefined,
    clock,
  })
  segment.restore()
  const { source, lineAt, ready } = scriptedSource()
  const reader = new TargetReader({ createSource: () => source, clock, random: () => 0 })
  const opening = segment.open({ reader, nowUs: () => Promise.resolve(0) })
  await Promise.resolve()
  lineAt(2_000_000)
  lineAt(2_500_000)
  ready()
  await opening
  lineAt(3_000_000)
  const { gaps, counters } = segment.progress()
  expect(gaps).toMatchObject([{ reason: 'daemon_restarted', lastEventUs: 1_000_000, firstEventUs: 3_000_000 }])
  expect(counters.recorded).toBe(2)
  segment.terminate('completed', 'manual_stop')
})
