import type { CaptureStatus } from '@sonde/contracts'
import { CAPTURE_STATUSES } from './capture-words.ts'

/** Spans of time that the list offers, in milliseconds. */
export const SPANS = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000 } as const
export type Span = keyof typeof SPANS

/** What the address of the captures page says. What is absent is not asked. */
export interface ListSearch {
  status?: CaptureStatus
  /** Started within this time before now. */
  span?: Span
  /** Started at or after, and at or before, these moments; ISO 8601 in UTC. They win over `span`. */
  from?: string
  to?: string
}

const instantOf = (value: unknown): string | undefined => {
  const at = typeof value === 'string' ? new Date(value) : undefined
  return at === undefined || Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}

/** Reads an address that anybody may have written; what it does not know is left out. */
export const readListSearch = (raw: Record<string, unknown>): ListSearch => {
  const status = CAPTURE_STATUSES.find((each) => each === raw['status'])
  const span = (Object.keys(SPANS) as Span[]).find((each) => each === raw['span'])
  const from = instantOf(raw['from'])
  const to = instantOf(raw['to'])
  return { ...(status && { status }), ...(span && { span }), ...(from && { from }), ...(to && { to }) }
}

/** What is asked of the server at `now`. */
export const listFilter = ({ status, span, from, to }: ListSearch, now: number) => {
  const isBetween = from !== undefined || to !== undefined
  const since = span !== undefined && !isBetween ? new Date(now - SPANS[span]).toISOString() : from
  return {
    ...(status && { status: [status] }),
    ...(since !== undefined && { startedAfter: since }),
    ...(to !== undefined && { startedBefore: to }),
  }
}

/** A moment as a field for local date and time has it, to the minute; empty for none. */
export const localTime = (instant: string | undefined): string => {
  if (instant === undefined) return ''
  const at = new Date(instant)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`
}
