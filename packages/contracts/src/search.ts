import { z } from 'zod'
import { tailRowSchema } from './capture-tail.ts'
import { filterTextSchema, SegmentStorage } from './captures.ts'
import { missingRangeSchema } from './gaps.ts'
import { uuidSchema } from './ids.ts'

/** What a search counts besides the rows of its page: nothing, all lines that match, or these also by verb, key, client and segment. */
export const SearchCounts = { none: 'none', total: 'total', facets: 'facets' } as const
export type SearchCounts = (typeof SearchCounts)[keyof typeof SearchCounts]

/** The lines of captures that match, in the order (merge time, capture, segment, seq, line). */
export const captureSearchInput = z.strictObject({
  ids: z.array(uuidSchema).min(1).max(16),
  /** Blank matches every line. */
  filter: filterTextSchema.default(''),
  /** Rows of one page; with 0 lines are only counted, and there is no further page. @default 100 */
  limit: z.int().min(0).max(1000).default(100),
  /** `nextCursor` of the page before, with the same captures and filter. */
  cursor: z.string().max(65_536).optional(),
  /** Over all pages. With a cursor always `none`: the first page has told it. @default total */
  counts: z.enum(SearchCounts).default('total'),
  /** Tells what was read to answer. @default false */
  plan: z.boolean().default(false),
  /** When time is up the page is short and the total an estimate, in milliseconds. @default 10_000 */
  deadlineMs: z.int().min(100).max(30_000).default(10_000),
})
export type CaptureSearchInput = z.input<typeof captureSearchInput>

export const searchRowSchema = tailRowSchema.extend({
  captureId: uuidSchema,
  /** The largest event time of the segment up to this line, in microseconds; -1 before any. */
  mergeUs: z.int(),
})
export type SearchRow = z.infer<typeof searchRowSchema>

/** Lines by value: `values` (the most frequent first, at most 50), `other` values, and lines that have `none`. Together they are the total. */
export const facetSchema = z.object({
  /** A value is bytes read as Latin-1. */
  values: z.array(z.object({ value: z.string(), lines: z.int() })),
  other: z.int(),
  none: z.int(),
})
export type Facet = z.infer<typeof facetSchema>

export const searchFacetsSchema = z.object({
  /** In upper case. */
  verb: facetSchema,
  /** Of the first key, up to and with its first colon; the whole key where it has none. */
  keyPrefix: facetSchema,
  /** The client's address without its port. */
  client: facetSchema,
  segment: z.array(z.object({ captureId: uuidSchema, segmentNo: z.int(), lines: z.int() })),
})
export type SearchFacets = z.infer<typeof searchFacetsSchema>

/** A segment that is not proven to be stored whole, so that lines of it may be missing in the answer. */
const incompleteSegmentSchema = z.object({
  captureId: uuidSchema,
  segmentNo: z.int(),
  storage: z.enum(SegmentStorage),
  missing: z.array(missingRangeSchema).nullable(),
})

/** What was done to answer. Chunks: those of the captures, those left out by their facts and summaries, and those read. */
const searchPlanSchema = z.object({
  chunks: z.int(),
  skipped: z.int(),
  /** Left out, since their summaries tell that every line matches. */
  counted: z.int(),
  scanned: z.int(),
  scannedLines: z.int(),
  /** Of lines, decompressed. */
  scannedBytes: z.int(),
  ms: z.int(),
})

export const captureSearchSchema = z.object({
  rows: z.array(searchRowSchema),
  /** Null when there is no further row. */
  nextCursor: z.string().nullable(),
  /** `estimated`: time was up, and `lines` is what matched in the part that was read. Null when nothing was counted. */
  total: z.object({ lines: z.int(), estimated: z.boolean() }).nullable(),
  facets: searchFacetsSchema.nullable(),
  incomplete: z.array(incompleteSegmentSchema),
  plan: searchPlanSchema.nullable(),
})
export type CaptureSearch = z.infer<typeof captureSearchSchema>
