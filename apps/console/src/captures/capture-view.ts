/** Columns of the lines beside the command itself, in their order. */
export const LINE_COLUMNS = ['time', 'segment', 'client', 'chunk'] as const
export type LineColumn = (typeof LINE_COLUMNS)[number]

/** Both ends included, in microseconds since 1970. */
export interface TimeRange {
  from: number
  to: number
}

export const isTimeRange = (range: { from: unknown; to: unknown }): range is TimeRange =>
  Number.isSafeInteger(range.from) &&
  Number.isSafeInteger(range.to) &&
  Number(range.from) >= 0 &&
  Number(range.from) <= Number(range.to)

export const DEFAULT_COLUMNS: readonly LineColumn[] = ['time', 'segment', 'client']

/** What the address of a capture's page says. What is absent is not asked. */
export interface CaptureView {
  /** `search` in place of the tail. */
  view?: 'search'
  /** A filter as it was typed; it may be one that cannot be read. */
  q?: string
  /** Segments by number, in order and joined by commas; absent is all. */
  segments?: string | number
  /** First and last moment, both included, in microseconds of the targets' clocks. */
  from?: number
  to?: number
  /** Columns of the lines, joined by commas. @default time,segment,client */
  columns?: string
}

const textOf = (value: unknown): string | undefined => {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && text.trim() !== '' ? text.slice(0, 4096) : undefined
}

/** Reads an address that anybody may have written; what it does not know is left out. */
export const readCaptureView = (raw: Record<string, unknown>): CaptureView => {
  const q = textOf(raw['q'])
  const segments = segmentsParameter(numbersIn(textOf(raw['segments'])))
  const range = { from: raw['from'], to: raw['to'] }
  const columns = textOf(raw['columns'])
  return {
    ...(raw['view'] === 'search' && { view: 'search' as const }),
    ...(q !== undefined && { q }),
    ...(segments !== undefined && { segments }),
    ...(isTimeRange(range) && range),
    ...(columns !== undefined && { columns: columnsIn(columns).join(',') || 'none' }),
  }
}

/** The numbers of a list that an address has. */
export const numbersIn = (text: string | undefined): number[] =>
  (text ?? '').split(',').flatMap((each) => (/^\d{1,9}$/.test(each) ? [Number(each)] : []))

/** The columns that a list names. */
export const columnsIn = (text: string): LineColumn[] => {
  const asked = text.split(',')
  return LINE_COLUMNS.filter((column) => asked.includes(column))
}

/** Segment numbers as an export has them; undefined, which means all, for none. */
export const segmentsText = (segments: readonly number[]): string | undefined =>
  segments.length === 0 ? undefined : [...new Set(segments)].toSorted((a, b) => a - b).join(',')

/** The same for an address; one alone as a number, since the router would put quotes around a text that looks like one. */
export const segmentsParameter = (segments: readonly number[]): string | number | undefined =>
  segments.length === 1 ? segments[0] : segmentsText(segments)

/** The columns for the address; undefined for those that are shown unasked. */
export const columnsText = (columns: readonly LineColumn[]): string | undefined => {
  const text = LINE_COLUMNS.filter((column) => columns.includes(column)).join(',')
  return text === DEFAULT_COLUMNS.join(',') ? undefined : text || 'none'
}
