import { MonitorScanner, type Dialect, type MonitorLine, type ReplyKind } from '@sonde/capture-format'
import type { SourceLine, SourceSink } from './source.ts'

export interface ScanLinesOptions {
  sink: SourceSink
  dialect: Dialect
  maxLineBytes: number
  /** A consumer may close the source while the rest of a read is still being scanned: nothing is handed over then. */
  isClosed: () => boolean
  isOwn: (line: MonitorLine) => boolean
  onReply: (kind: ReplyKind, text: string) => void
}

/** A scanner that hands its lines to a sink, in one object that is used again for each. */
export const scanLines = (options: ScanLinesOptions): MonitorScanner => {
  const { sink, dialect, maxLineBytes, isClosed, isOwn, onReply } = options
  let line: SourceLine | undefined
  return new MonitorScanner({
    dialect,
    maxLineBytes,
    sink: {
      line: (bytes, start, end, parsed, error) => {
        if (isClosed()) return
        line ??= { bytes, start, end, parsed, error, isOwn: false }
        line.bytes = bytes
        line.start = start
        line.end = end
        line.parsed = parsed
        line.error = error
        line.isOwn = isOwn(parsed)
        sink.line(line)
      },
      reply: onReply,
    },
  })
}
