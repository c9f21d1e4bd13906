import { latin1Decode, type JsonBytes, type JsonMasked } from '@sonde/capture-format'
import type { Encoder } from './encoder.ts'
import type { CurrentLine } from '../current-line.ts'
import { jsonOf } from './line-formats.ts'

export const COLUMNS = ['ts', 'ts_raw', 'segment', 'target', 'db', 'addr', 'cmd', 'args', 'keys'] as const

/** What stands in the list of arguments of a line that is not whole: alone where it could not be read, last where it was cut. */
type Remark = { error: string; raw: JsonBytes } | { cut: true; bytes: number }

export interface Columns {
  /** Microseconds in digits; empty where the line has no time. */
  ts: string
  /** The time as the server printed it. */
  ts_raw: string
  segment: number
  target: string
  db: string
  addr: string
  cmd: string
  /** JSON array. */
  args: string
  keys: string
}

const textOf = (value: JsonBytes | null): string =>
  typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)

/** A line as the columns of CSV and Parquet. */
export const columnsOf = (line: CurrentLine): Columns => {
  const { parsed, segmentNo: segment, target } = line
  const json = jsonOf(line)
  const place = { ts: json.ts ?? '', ts_raw: latin1Decode(line.bytes, parsed.tsStart, parsed.tsEnd), segment, target }
  if ('error' in json) {
    const args: Remark[] = [{ error: json.error, raw: json.raw }]
    return { ...place, db: '', addr: '', cmd: '', args: JSON.stringify(args), keys: '[]' }
  }
  const args: (JsonBytes | JsonMasked | Remark)[] = json.args
  if (json.cut) args.push({ cut: true, bytes: line.bytes.length })
  return {
    ...place,
    db: textOf(json.db),
    addr: textOf(json.client),
    cmd: textOf(json.cmd),
    args: JSON.stringify(args),
    keys: JSON.stringify(json.keys),
  }
}

/** Spreadsheets take a cell that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r]/
const SPECIAL = /[",\r\n]/

const cell = (text: string): string => (SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
const guarded = (text: string): string => cell(FORMULA.test(text) ? `'${text}` : text)

/** RFC 4180. Text cells that a spreadsheet would take for a formula have a `'` before them. */
export const csvEncoder = (): Encoder => ({
  begin: () => `${COLUMNS.join(',')}\r\n`,
  row(line) {
    const { ts, ts_raw, segment, target, db, addr, cmd, args, keys } = columnsOf(line)
    const text = [target, db, addr, cmd, args, keys].map(guarded).join(',')
    return `${ts},${cell(ts_raw)},${segment},${text}\r\n`
  },
})
