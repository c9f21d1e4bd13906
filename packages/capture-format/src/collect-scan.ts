import { decodeArguments } from './argument.ts'
import { latin1Decode } from './latin1.ts'
import type { LineErrorKind } from './monitor-line.ts'
import { MonitorScanner, type MonitorScannerOptions, type ScannerCounters } from './monitor-scanner.ts'
import type { ReplyKind } from './reply-reader.ts'

/** All texts are bytes read as Latin-1. */
export interface CollectedLine {
  /** The stored form. */
  text: string
  error: LineErrorKind | null
  eventUs: number
  db: string
  source: string | null
  /** Decoded, the verb first; empty when there is an error. */
  args: string[]
}

export interface CollectedScan {
  lines: CollectedLine[]
  replies: [ReplyKind, string][]
  counters: ScannerCounters
}

/** Scans a stream that is given in chunks, with its end, and keeps everything: for tests and small inputs. */
export const collectScan = (
  chunks: Iterable<Uint8Array>,
  options: Omit<MonitorScannerOptions, 'sink'> = {},
): CollectedScan => {
  const lines: CollectedLine[] = []
  const replies: [ReplyKind, string][] = []
  const scanner = new MonitorScanner({
    ...options,
    sink: {
      line: (...[bytes, start, end, parsed, error]) => {
        const args = error === null ? decodeArguments(parsed).map((argument) => latin1Decode(argument!)) : []
        const { eventUs, db, source } = parsed
        lines.push({ text: latin1Decode(bytes, start, end), error, eventUs, db, source, args })
      },
      reply: (kind, text) => replies.push([kind, text]),
    },
  })
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  return { lines, replies, counters: scanner.counters }
}
