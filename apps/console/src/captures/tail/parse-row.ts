import { latin1Decode, latin1Encode, MonitorLine, parseMonitorLine } from '@sonde/capture-format'
import type { TailRow } from '@sonde/contracts'
import { inertBytes } from '../../ui/inert.ts'

/** A line as it is shown: printable ASCII only, arguments as the server printed them. */
export interface ParsedRow {
  db: string
  /** The client's address; empty where the dialect names none. */
  source: string
  /** In the client's case. */
  verb: string
  /** The arguments after the verb, with their quotes. */
  args: string
  /** Why it is no whole line; `args` is then all that is stored of it, of a `cut` one whose parts can be read what follows the verb. */
  error: string | undefined
}

const bracket = new MonitorLine()
const paren = new MonitorLine({ dialect: 'paren' })
const parsed = new WeakMap<TailRow, ParsedRow>()

/** The parts of a row, parsed the first time that they are asked for. */
export const parseRow = (row: TailRow): ParsedRow => {
  const known = parsed.get(row)
  if (known) return known
  const result = parse(row)
  parsed.set(row, result)
  return result
}

const parse = ({ line: text, cut }: TailRow): ParsedRow => {
  const bytes = latin1Encode(text)
  const error = parseMonitorLine(bytes, 0, bytes.length, bracket)
  if (error === null || (cut && bracket.argc > 0)) return { ...partsOf(bracket), error: cut ? 'cut' : undefined }
  // A row does not say its dialect, and no line is whole in both.
  if (parseMonitorLine(bytes, 0, bytes.length, paren) === null) return partsOf(paren)
  return { db: '', source: '', verb: '', args: inertBytes(text), error: cut ? 'cut' : error }
}

const partsOf = (line: MonitorLine): ParsedRow => {
  const { bytes, ranges } = line
  const verbEnd = ranges[1] ?? 0
  return {
    db: inertBytes(line.db),
    source: inertBytes(line.source ?? ''),
    verb: inertBytes(latin1Decode(bytes, ranges[0] ?? 0, verbEnd)),
    args: inertBytes(latin1Decode(bytes, verbEnd + 1)).trimStart(),
    error: undefined,
  }
}

/** One line is one row of itself, whatever the order in which rows come. */
export const rowKey = (row: TailRow): string => `${row.segmentNo}.${row.seq}.${row.lineNo}`
