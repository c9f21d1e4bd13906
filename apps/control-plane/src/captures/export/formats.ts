import type { ExportFormat } from '@sonde/contracts'
import { csvEncoder } from './csv.ts'
import type { ExportType } from './encoder.ts'
import { jsonEncoder, jsonLinesEncoder, rawEncoder, replayEncoder } from './line-formats.ts'
import { parquetEncoder } from './parquet.ts'

const BYTES = 'application/octet-stream'

export const EXPORT_TYPES: Record<ExportFormat, ExportType> = {
  raw: { contentType: BYTES, compressible: true, encoder: rawEncoder },
  jsonl: { contentType: 'application/x-ndjson', compressible: true, encoder: jsonLinesEncoder },
  json: { contentType: 'application/json', compressible: true, encoder: jsonEncoder },
  csv: { contentType: 'text/csv; charset=utf-8; header=present', compressible: true, encoder: csvEncoder },
  parquet: { contentType: 'application/vnd.apache.parquet', compressible: false, encoder: parquetEncoder },
  replay: { contentType: BYTES, compressible: true, encoder: replayEncoder },
}
