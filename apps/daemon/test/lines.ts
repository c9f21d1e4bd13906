import { latin1Encode, MonitorScanner, printMonitorLine } from '@sonde/capture-format'
import type { SourceLine } from '../src/source/source.ts'

/** One line as a server prints it, with CRLF and the leading `+`. For tests. */
export const wireLine = (eventUs: number, ...args: string[]): Buffer =>
  Buffer.concat([
    Buffer.from('+'),
    printMonitorLine({ eventUs, db: '0', source: '127.0.0.1:50000', args: args.map(latin1Encode) }),
    Buffer.from('\r\n'),
  ])

/** Gives bytes to a scanner and each line it finds to `take`. For tests. */
export const scanInto = (take: (line: SourceLine) => void, isOwn: (line: SourceLine) => boolean = () => false) => {
  const scanner = new MonitorScanner({
    maxLineBytes: 1024,
    sink: {
      line: (bytes, start, end, parsed, error) => {
        const line: SourceLine = { bytes, start, end, parsed, error, isOwn: false }
        line.isOwn = isOwn(line)
        take(line)
      },
      reply: () => undefined,
    },
  })
  return scanner
}
