import { z } from 'zod'
import { uuidSchema } from './ids.ts'

/** Windows of earlier captures that end where a capture starts; `sameHour` is the hour that starts exactly 7 days before it. */
export const BaselineWindow = { '6h': '6h', '24h': '24h', '7d': '7d', sameHour: 'sameHour' } as const
export type BaselineWindow = (typeof BaselineWindow)[keyof typeof BaselineWindow]

const listing = {
  /** Rows of each list at the most. @default 50 */
  limit: z.int().min(1).max(1000).default(50),
  /** How long what is not counted yet may be counted before the answer is given without it, in milliseconds. @default 10_000 */
  waitMs: z.int().min(0).max(60_000).default(10_000),
}

export const analysisDiffInput = z.strictObject({ a: uuidSchema, b: uuidSchema, ...listing })

/** `baseline`: a window, or the id of another capture. @default 24h */
export const crossReferenceInput = z.strictObject({
  captureId: uuidSchema,
  baseline: z.union([z.enum(BaselineWindow), uuidSchema]).default(BaselineWindow['24h']),
  ...listing,
})

/** `onlyA` and `onlyB`: the other side has none of it. For keys: it is not among the other side's 50 most frequent. */
export const Change = { onlyA: 'onlyA', onlyB: 'onlyB', changed: 'changed' } as const
export type Change = (typeof Change)[keyof typeof Change]

/** It occurred `count` times at the most, and `count - error` at the least. */
const countSchema = z.object({ count: z.int(), error: z.int(), perSecond: z.number() })

const rowSchema = z.object({
  /** Bytes read as Latin-1. */
  text: z.string(),
  change: z.enum(Change),
  a: countSchema,
  b: countSchema,
  /** Rate of `a` by that of `b`, what is nearest to 1 within the errors; null where one of them may be 0. */
  ratio: z.number().nullable(),
  /** How likely rates so far apart are when nothing has changed. */
  p: z.number(),
  /** Whether it still is one when all rows of the list are judged together, at a false-discovery rate of 1%. */
  isSignificant: z.boolean(),
  /** Finds the lines that were counted, and perhaps some more; null where no filter does. */
  filter: z.string().nullable(),
})
export type ComparedRow = z.infer<typeof rowSchema>

const list = <T extends z.ZodType>(row: T) =>
  z.object({
    /** The most significant first. */
    rows: z.array(row),
    /** How many rows there are without the limit. */
    total: z.int(),
    /** Whether both sides have every text with its exact count; else each row says its error. */
    isExact: z.boolean(),
  })
const rowList = list(rowSchema)
export type ComparedList = z.infer<typeof rowList>

const keyPlaceSchema = countSchema.extend({ rank: z.int().nullable() })
const keyRowSchema = z.object({
  /** Bytes read as Latin-1; of a masked key what is stored of it. */
  key: z.string(),
  isMasked: z.boolean(),
  change: z.enum(Change),
  a: keyPlaceSchema,
  b: keyPlaceSchema,
  /** Finds its lines; null for a masked key. */
  filter: z.string().nullable(),
})
export type ComparedKey = z.infer<typeof keyRowSchema>

const sizeRowSchema = z.object({
  text: z.string(),
  /** Argument bytes of one line, on average. */
  a: z.number(),
  b: z.number(),
  ratio: z.number(),
  filter: z.string().nullable(),
})
export type ComparedSize = z.infer<typeof sizeRowSchema>

const targetSideSchema = z.object({ lines: z.int(), seconds: z.number(), perSecond: z.number() }).nullable()
const targetRowSchema = z.object({
  targetId: uuidSchema,
  target: z.string(),
  shard: z.string().nullable(),
  /** Null where the side has no part of the target. */
  a: targetSideSchema,
  b: targetSideSchema,
})
export type ComparedTarget = z.infer<typeof targetRowSchema>

const sideSchema = z.object({
  captureIds: z.array(uuidSchema),
  /** Stored lines, and those of them that were counted. */
  lines: z.int(),
  counted: z.int(),
  bytes: z.int(),
  /** How long the targets were read, on average over the targets, without gaps: what rates are made with. */
  seconds: z.number(),
  perSecond: z.number(),
  argumentBytes: z.int(),
  masked: z.int(),
  malformed: z.int(),
  cut: z.int(),
  keyed: z.int(),
})
export type ComparedSide = z.infer<typeof sideSchema>

/** What makes two sides less than comparable. */
export const Caveat = {
  /** Redaction policies differ: what one side shows, the other may mask. */
  policy: 'policy',
  /** Masked arguments were hashed with other keys, so equal ones look different. */
  redactionKey: 'redactionKey',
  filter: 'filter',
  sampling: 'sampling',
  targets: 'targets',
  /** Lines are missing: gaps, dropped lines, or segments that are not stored whole. */
  coverage: 'coverage',
  running: 'running',
  /** Stored lines that were not counted yet. */
  uncounted: 'uncounted',
  /** The side has no lines: all of the other is new. */
  empty: 'empty',
  /** More captures are in the window than were taken. */
  window: 'window',
} as const
export type Caveat = (typeof Caveat)[keyof typeof Caveat]

const caveatSchema = z.object({
  kind: z.enum(Caveat),
  /** What is so on each side; null where nothing is. */
  a: z.string().nullable(),
  b: z.string().nullable(),
})
export type ComparedCaveat = z.infer<typeof caveatSchema>

export const analysisDiffSchema = z.object({
  /** A capture against itself: nothing is listed. */
  same: z.boolean(),
  a: sideSchema,
  b: sideSchema,
  caveats: z.array(caveatSchema),
  shapes: rowList,
  verbs: rowList,
  clients: rowList,
  dbs: rowList,
  prefixes: rowList,
  keys: list(keyRowSchema),
  /** Shapes whose lines became at least twice as large, or half. */
  sizes: list(sizeRowSchema),
  /** Every target of either side. */
  targets: z.array(targetRowSchema),
})
/** `a` against `b`. With the sides exchanged it is the same with `a` and `b` exchanged. */
export type AnalysisDiff = z.infer<typeof analysisDiffSchema>

export const crossReferenceSchema = analysisDiffSchema.extend({
  baseline: z.object({
    /** `capture` for another capture. */
    window: z.enum({ ...BaselineWindow, capture: 'capture' }),
    /** Microseconds since 1970, half open; null for another capture. */
    fromUs: z.int().nullable(),
    toUs: z.int().nullable(),
    /** How much of the window the baseline's targets were read, 0 to 1; null for another capture. */
    coverage: z.number().nullable(),
  }),
  /** Axes that have no source yet. */
  unavailable: z.array(z.object({ axis: z.enum(['slow', 'access']), reason: z.string() })),
})
/** A capture (`a`) against its baseline (`b`). */
export type CrossReference = z.infer<typeof crossReferenceSchema>
