import type { TailRow } from '@sonde/contracts'
import { latin1Encode, parseMonitorLine, type MonitorLine } from '@sonde/capture-format'
import { plainLatin1 } from './print/plain-text.ts'
import { formatEventTime } from './print/units.ts'

/**
 * A stored line for people: `13:31:55.123456 127.0.0.1:7000 0 "SET" "k" "v"`, in the local zone. A line that is not whole is
 * shown as it is stored, after its error.
 */
export const formatTailLine = (row: TailRow, address: string, line: MonitorLine): string => {
  const bytes = latin1Encode(row.line)
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  if (error !== null) return `${'-'.padEnd(15)} ${address} ${error}: ${plainLatin1(row.line)}`
  return `${formatEventTime(line.eventUs)} ${address} ${plainLatin1(line.db)} ${plainLatin1(row.line.slice(line.argsStart))}`
}
