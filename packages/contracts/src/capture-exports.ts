import { z } from 'zod'
import { CaptureStatus, filterTextSchema } from './captures.ts'
import { uuidSchema } from './ids.ts'
import { RedactionLevel } from './policies.ts'
import { instantSchema } from './text.ts'

/** Formats of `GET /export/captures/{id}?format=`; docs/spec/captures.md says what each holds. */
export const ExportFormat = {
  /** The lines as they are stored. */
  raw: 'raw',
  /** One object a line. */
  jsonl: 'jsonl',
  /** One document. */
  json: 'json',
  csv: 'csv',
  parquet: 'parquet',
  /** What a load tool reads: the whole, unmasked lines alone. */
  replay: 'replay',
} as const
export type ExportFormat = (typeof ExportFormat)[keyof typeof ExportFormat]

/** 1,024 segments take 9,560 characters. */
const exportCursor = z
  .string()
  .max(10_240)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be a cursor that an export gave')

export const exportQuerySchema = z
  .strictObject({
    format: z.enum(ExportFormat).default('raw'),
    /** Only lines that match. */
    filter: filterTextSchema.optional(),
    /** Comma-separated segment numbers. */
    segments: z
      .string()
      .max(4096)
      .regex(/^\d{1,9}(,\d{1,9})*$/, 'must be segment numbers, separated by commas')
      .transform((text) => text.split(',').map(Number))
      .optional(),
    /** To go on: the cursor of the export that broke off, what is there of it in bytes, and the SHA-256 of that. */
    cursor: exportCursor.optional(),
    offset: z
      .string()
      .regex(/^\d{1,15}$/, 'must be a number of bytes')
      .transform(Number)
      .optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
      .optional(),
  })
  .refine(
    ({ cursor, offset, sha256 }) => new Set([cursor, offset, sha256].map((each) => each === undefined)).size === 1,
    'cursor, offset and sha256 go together',
  )

/** Header of an export's answer with its {@link exportFactsSchema facts}, as JSON in ASCII. */
export const EXPORT_FACTS_HEADER = 'sonde-export'

/** What an export holds, told before its first byte. */
export const exportFactsSchema = z.object({
  captureId: uuidSchema,
  format: z.enum(ExportFormat),
  filter: z.string().nullable(),
  /** Null: all. */
  segments: z.array(z.int()).nullable(),
  order: z.string(),
  status: z.enum(CaptureStatus),
  policy: z.object({ level: z.enum(RedactionLevel), revision: z.int() }),
  /** Places where lines of these segments are missing; `lostLines` is null when one does not know how many. */
  gaps: z.object({ count: z.int(), lostLines: z.int().nullable() }),
  /** Committed lines of these segments and their bytes: before the filter, so the most that can come. */
  lines: z.int(),
  bytes: z.int(),
  /** Names exactly these lines, for going on after a break. */
  cursor: z.string(),
})
export type ExportFacts = z.infer<typeof exportFactsSchema>

export const ReadKind = { export: 'export', tail: 'tail' } as const
export type ReadKind = (typeof ReadKind)[keyof typeof ReadKind]

export const ReadOutcome = {
  /** All that was asked for was handed over. */
  complete: 'complete',
  /** The reader went away, or lost the right. */
  stopped: 'stopped',
  failed: 'failed',
} as const
export type ReadOutcome = (typeof ReadOutcome)[keyof typeof ReadOutcome]

/** One export or tail of a capture: who read what, how much and when. */
export const captureReadSchema = z.object({
  id: uuidSchema,
  captureId: uuidSchema,
  participantId: uuidSchema,
  participantName: z.string(),
  kind: z.enum(ReadKind),
  /** Of an export. */
  format: z.enum(ExportFormat).nullable(),
  filter: z.string().nullable(),
  segments: z.array(z.int()).nullable(),
  startedAt: instantSchema,
  /** Null while it goes on, and for ever when its replica died; the counts are then at most 20 s old. */
  endedAt: instantSchema.nullable(),
  outcome: z.enum(ReadOutcome).nullable(),
  lines: z.int(),
  /** Of what was handed over, before it was compressed for the way. */
  bytes: z.int(),
})
export type CaptureRead = z.infer<typeof captureReadSchema>

/** Newest first. `cursor` is the last id of the page before. */
export const captureReadsInput = z.strictObject({
  sessionId: uuidSchema,
  captureId: uuidSchema.optional(),
  limit: z.int().min(1).max(1000).default(100),
  cursor: uuidSchema.optional(),
})
export const captureReadsResultSchema = z.object({
  reads: z.array(captureReadSchema),
  nextCursor: z.string().nullable(),
})
export type CaptureReads = z.infer<typeof captureReadsResultSchema>
