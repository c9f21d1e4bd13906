import type { TailRow } from '@sonde/contracts'
import { latin1Encode, parseMonitorLine, type MonitorLine } from '@sonde/capture-format'
import { plainLatin1 } from './print/plain-text.ts'
import type { Tone } from './print/tone.ts'
import { counted, formatEventTime } from './print/units.ts'

/** Bytes of a line that a terminal shows. */
export const SHOWN_BYTES = 4096

export interface TailLineOptions {
  /** Of the server. */
  address: string
  /** Parses the line and fixes its dialect; used again for each line. */
  line: MonitorLine
  /** Longer lines show so many of their bytes. @default all */
  shownBytes?: number | undefined
  /** Colours a part. @default not at all */
  paint?: (text: string, tone: Tone) => string
}

const plain = (text: string): string => text

/**
 * A stored line for people: `13:31:55.123456 127.0.0.1:7000 0 "SET" "k" "v"`, in the local zone. A line that is not whole is
 * shown as it is stored, after its error; one that was cut, or is shown in part, ends with its stored length.
 */
export const formatTailLine = (
  row: TailRow,
  { address, line, shownBytes = Infinity, paint = plain }: TailLineOptions,
): string => {
  const bytes = latin1Encode(row.line)
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  const isCut = row.cut === true
  const end = isCut || bytes.length > shownBytes ? `… (${counted(bytes.length, 'byte')}${isCut ? ', cut' : ''})` : ''
  const from = (start: number): string => plainLatin1(row.line.slice(start, shownBytes)) + end
  const time = line.eventUs < 0 ? '-'.padEnd(15) : formatEventTime(line.eventUs)
  // Where a line is cut tells nothing about what the client sent.
  const isReadable = error === null || (isCut && line.argsStart >= 0)
  const head = paint(`${time} ${address}`, 'dim')
  if (!isReadable) return `${head} ${paint(error, 'bad')}: ${from(0)}`
  const verbEnd = line.argc === 0 ? line.argsStart : line.ranges[1]! + 1
  if (verbEnd > shownBytes) return `${head} ${plainLatin1(line.db)} ${from(line.argsStart)}`
  const verb = paint(plainLatin1(row.line.slice(line.argsStart, verbEnd)), 'strong')
  return `${head} ${plainLatin1(line.db)} ${verb}${from(verbEnd)}`
}
