import { latin1Encode, printMonitorLine, type JsonLine } from '@sonde/capture-format'
import { newId, type ExportFacts, type ExportFormat } from '@sonde/contracts'
import * as fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readCsv } from '../../../test/read-csv.ts'
import { CurrentLine } from '../current-line.ts'
import { EXPORT_TYPES } from './formats.ts'

const factsOf = (format: ExportFormat): ExportFacts => ({
  captureId: newId(),
  format,
  filter: 'key:caf\u00e9',
  segments: null,
  order: 'merge time, segment, chunk, line',
  status: 'completed',
  policy: { level: 'none', revision: 1 },
  gaps: { count: 0, lostLines: 0 },
  lines: 0,
  bytes: 0,
  cursor: 'AQ',
})

interface Written {
  bytes: Buffer
  skipped: number
}

/** Lines as an export would write them; those of `cut` are marked as such. */
const written = (format: ExportFormat, lines: (string | Uint8Array)[], cut: number[] = []): Written => {
  const encoder = EXPORT_TYPES[format].encoder(factsOf(format))
  const end = { segmentNo: 2, targetHost: '::1', targetPort: 7000, lastSeq: 0 }
  const line = new CurrentLine([end])
  const tally = { lines: 0, skipped: 0 }
  const parts: (string | Uint8Array)[] = [encoder.begin?.() ?? '']
  for (const [lineNo, text] of lines.entries()) {
    const stored = Buffer.from(typeof text === 'string' ? latin1Encode(text) : text)
    const place = { seq: 0, lineNo, lines: stored, start: 0, end: stored.length }
    const isCut = cut.includes(lineNo)
    line.load({ segmentNo: 2, mergeUs: 1, line: { ...place, eventUs: 1, dialect: 0, isCut } })
    const part = encoder.row(line)
    tally[part === null ? 'skipped' : 'lines'] += 1
    if (part !== null) parts.push(part)
  }
  parts.push(encoder.end?.(tally) ?? '')
  return { bytes: Buffer.concat(parts.map((part) => Buffer.from(part as string))), skipped: tally.skipped }
}

const T = '1795500000.000001'
const GET = `${T} [3 10.0.0.7:5] "GET" "k"`
const BROKEN = `${T} [0`
const MASKED = `${T} [0 a:1] "SET" "k" ~5:0123456789abcdef`
const CUT = `${T} [0 a:1] "SET" "k" "va`
const HEADER = ['ts', 'ts_raw', 'segment', 'target', 'db', 'addr', 'cmd', 'args', 'keys']

test('csv has its header, a row a line, CRLF, and tells what is no whole line', () => {
  const { bytes, skipped } = written('csv', [GET, BROKEN, MASKED, CUT], [3])
  expect(bytes.toString()).toMatch(/^ts,ts_raw,segment,target,db,addr,cmd,args,keys\r\n/)
  const rows = readCsv(bytes.toString())
  const place = ['1795500000000001', T, '2', '::1:7000']
  expect(rows).toEqual([
    HEADER,
    [...place, '3', '10.0.0.7:5', 'GET', '["k"]', '["k"]'],
    [...place, '', '', '', `[{"error":"no_closing_bracket","raw":${JSON.stringify(BROKEN)}}]`, '[]'],
    [...place, '0', 'a:1', 'SET', '["k",{"masked":true,"len":5,"hash":"0123456789abcdef"}]', '["k"]'],
    [...place, '0', 'a:1', 'SET', `["k","va",{"cut":true,"bytes":${CUT.length}}]`, '["k"]'],
  ])
  expect(skipped).toBe(0)
})

test('csv guards every cell that a spreadsheet takes for a formula, and no other', () => {
  for (const start of ['=', '+', '-', '@', '\\t', '\\r']) {
    const [, row] = readCsv(written('csv', [`${T} [${start === '=' ? '=n' : '0'} a:1] "${start}cmd"`]).bytes.toString())
    const text = start.startsWith('\\') ? (JSON.parse(`"${start}"`) as string) : start
    expect(row?.[6]).toBe(`'${text}cmd`)
    expect(row?.[4]).toBe(start === '=' ? "'=n" : '0')
  }
  const [, plain] = readCsv(written('csv', [`${T} [0 a:1] "a=b" "=SUM(A1)"`]).bytes.toString())
  expect(plain?.slice(6)).toEqual(['a=b', '["=SUM(A1)"]', '[]'])
})

/** Texts that break careless writers, and any bytes. */
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
  fc
    .string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', '+', '-', '@', "'", '\t', '\\', 'a', '[', '\u2028') })
    .map((text) => new TextEncoder().encode(text)),
)
const hostileLine = fc.record({
  eventUs: fc.integer({ min: 1e15, max: 2e15 }),
  db: fc.constantFrom('0', '15', '=cmd|x', 'a,b'),
  source: fc.constantFrom('10.0.0.7:5', '', 'lua', 'unix:/tmp/a b', '[::1]:5'),
  args: fc.array(hostile, { minLength: 1, maxLength: 6 }),
})
const hex = (value: unknown): string =>
  typeof value === 'string'
    ? Buffer.from(value, 'utf8').toString('hex')
    : Buffer.from((value as { b64: string }).b64, 'base64').toString('hex')

test('whatever the arguments, a strict reader of csv gets them back, and as many rows as lines', () => {
  fc.assert(
    fc.property(fc.array(hostileLine, { maxLength: 8 }), (lines) => {
      const rows = readCsv(written('csv', lines.map(printMonitorLine)).bytes.toString())
      expect(rows.length).toBe(lines.length + 1)
      for (const [index, { args, eventUs, source }] of lines.entries()) {
        const row = rows[index + 1]!
        expect([row.length, row[0], row[5]]).toEqual([HEADER.length, String(eventUs), source])
        const rest = JSON.parse(row[7]!) as unknown[]
        expect(rest.map(hex)).toEqual(args.slice(1).map((each) => Buffer.from(each).toString('hex')))
        for (const cell of [row[3], row[4], row[6]]) expect(cell).not.toMatch(/^[=+\-@\t\r]/)
      }
    }),
  )
})

test('json is one document with the lines of json lines, and their count', () => {
  fc.assert(
    fc.property(fc.array(hostileLine, { maxLength: 5 }), (lines) => {
      const printed = [...lines.map(printMonitorLine), latin1Encode(BROKEN)]
      const document = JSON.parse(written('json', printed).bytes.toString()) as Record<string, unknown>
      const each = written('jsonl', printed).bytes.toString().trimEnd().split('\n')
      expect(document).toMatchObject({ count: printed.length, skipped: 0, export: { filter: 'key:caf\u00e9' } })
      expect(document['lines']).toEqual(each.map((text) => JSON.parse(text) as JsonLine))
    }),
  )
  expect(JSON.parse(written('json', []).bytes.toString())).toMatchObject({ lines: [], count: 0 })
})

test('the input of a load tool has whole and unmasked lines alone, each with its command behind the first quote', () => {
  const odd = `${T} [0 unix:/a"b] "GET" "k"`
  const { bytes, skipped } = written('replay', [GET, BROKEN, MASKED, CUT, odd, GET], [3])
  expect(bytes.toString()).toBe(`${GET}\n${GET}\n`)
  expect(skipped).toBe(4)
})

test(
  'parquet has typed columns, all rows over all groups, and the facts of the export',
  { timeout: 60_000 },
  async () => {
    const wide = 'x'.repeat(400_000)
    const lines = [
      GET,
      BROKEN,
      'rubbish',
      ...Array.from({ length: 12 }, (_, n) => `${T} [0 a:1] "SET" "${n}" "${wide}"`),
    ]
    const { bytes } = written('parquet', lines)
    const file = new Uint8Array(bytes).buffer
    const metadata = parquetMetadata(file)
    expect(metadata.row_groups.length).toBeGreaterThan(1)
    expect(metadata.key_value_metadata?.[0]?.key).toBe('sonde')
    expect(JSON.parse(metadata.key_value_metadata?.[0]?.value ?? '')).toMatchObject({ filter: 'key:caf\u00e9' })
    const rows = await parquetReadObjects({ file, compressors: { ZSTD: (input) => zstdDecompressSync(input) } })
    expect(rows.length).toBe(lines.length)
    expect(Object.keys(rows[0] ?? {})).toEqual(HEADER)
    expect(rows[0]).toMatchObject({ ts: new Date(1_795_500_000_000), segment: 2, cmd: 'GET', args: '["k"]', db: '3' })
    expect(rows[2]).toMatchObject({ ts: null, args: '[{"error":"no_header","raw":"rubbish"}]' })
    expect(JSON.parse(rows[8]?.['args'] as string)).toEqual(['5', wide])
  },
)
