import { zstdCompressSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { ExportFacts } from '@sonde/contracts'
import { COLUMNS, columnsOf, type Columns } from './csv.ts'
import type { Encoder } from './encoder.ts'

/**
 * Rows are held until they are a group of so many bytes of lines, which is then encoded in one go: 1 MiB takes 60 to 100 ms on a busy core. Its
 * place in the file is kept until the end, which is about 10 KB.
 */
const GROUP_BYTES = 2 ** 20

const text = (name: string) =>
  ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }) as const

const SCHEMA = [
  { name: 'root', num_children: COLUMNS.length },
  { name: 'ts', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type: 'OPTIONAL' } as const,
  text('ts_raw'),
  { name: 'segment', type: 'INT32', repetition_type: 'REQUIRED' } as const,
  ...(['target', 'db', 'addr', 'cmd', 'args', 'keys'] as const).map(text),
]

const dataOf = (rows: Columns[], name: (typeof COLUMNS)[number]) =>
  name === 'ts' ? rows.map(({ ts }) => (ts === '' ? null : BigInt(ts))) : rows.map((row) => row[name])

/** Apache Parquet with the columns of CSV, compressed with zstd. The facts of the export are its metadata under `sonde`. */
export const parquetEncoder = (facts: ExportFacts): Encoder => {
  const out = new ByteWriter()
  const writer = new ParquetWriter({
    writer: out,
    schema: SCHEMA,
    codec: 'ZSTD',
    compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
    statistics: false,
    kvMetadata: [{ key: 'sonde', value: JSON.stringify(facts) }],
    createdBy: 'sonde',
  })
  const take = (): Uint8Array => {
    const bytes = out.getBytes().slice()
    // `offset` goes on counting: it is where the next group lies in the file.
    out.index = 0
    return bytes
  }
  let rows: Columns[] = []
  let bytes = 0
  const group = (): void => {
    const columnData = COLUMNS.map((name) => ({
      name,
      data: dataOf(rows, name),
      offsetIndex: false,
      encoding: 'PLAIN' as const,
    }))
    void writer.write({ columnData, rowGroupSize: rows.length })
    rows = []
    bytes = 0
  }
  return {
    row(line) {
      rows.push(columnsOf(line))
      bytes += line.bytes.length
      if (bytes < GROUP_BYTES) return ''
      group()
      return take()
    },
    end() {
      if (rows.length > 0) group()
      void writer.finish()
      return take()
    },
  }
}
