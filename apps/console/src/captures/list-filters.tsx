import type { CaptureStatus } from '@sonde/contracts'
import { useId } from 'react'
import { zoneName } from '../ui/units.ts'
import { CAPTURE_STATUSES } from './capture-words.ts'
import { localTime, SPANS, type ListSearch, type Span } from './list-view.ts'

const SPAN_WORDS: Record<Span, string> = {
  '1h': 'last hour',
  '24h': 'last 24 hours',
  '7d': 'last 7 days',
  '30d': 'last 30 days',
}

interface ListFiltersProps {
  search: ListSearch
  onChange: (search: ListSearch) => void
}

/** Which captures are listed: by status and by when they started. */
export const ListFilters = ({ search, onChange }: ListFiltersProps) => {
  const { status, span, from, to } = search
  const kept = status ? { status } : {}
  const between = from !== undefined || to !== undefined
  const setStatus = (next: CaptureStatus | undefined) => {
    const { status: _, ...others } = search
    onChange({ ...others, ...(next && { status: next }) })
  }
  const setWhen = (value: string) => {
    const next = (Object.keys(SPANS) as Span[]).find((each) => each === value)
    if (value === 'between') onChange({ ...kept, from: new Date(Date.now() - SPANS['24h']).toISOString() })
    else onChange({ ...kept, ...(next && { span: next }) })
  }
  const setMoment = (which: 'from' | 'to', value: string) => {
    const { [which]: _, ...others } = search
    onChange({ ...others, ...(value !== '' && { [which]: new Date(value).toISOString() }) })
  }
  return (
    <div className="filters" role="search" aria-label="Captures">
      <select
        aria-label="Status"
        value={status ?? ''}
        onChange={({ target }) => setStatus(CAPTURE_STATUSES.find((each) => each === target.value))}
      >
        <option value="">any status</option>
        {CAPTURE_STATUSES.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
      <select
        aria-label="Started"
        value={between ? 'between' : (span ?? '')}
        onChange={({ target }) => setWhen(target.value)}
      >
        <option value="">started at any time</option>
        {(Object.keys(SPANS) as Span[]).map((each) => (
          <option key={each} value={each}>
            {SPAN_WORDS[each]}
          </option>
        ))}
        <option value="between">between…</option>
      </select>
      {between && (
        <>
          <Moment label="from" value={from} onChange={(value) => setMoment('from', value)} />
          <Moment label="to" value={to} onChange={(value) => setMoment('to', value)} />
          <span className="quiet">{zoneName()}</span>
        </>
      )}
    </div>
  )
}

interface MomentProps {
  label: string
  value: string | undefined
  onChange: (value: string) => void
}

const Moment = ({ label, value, onChange }: MomentProps) => {
  const id = useId()
  return (
    <span className="moment">
      <label htmlFor={id}>{label}</label>
      <input id={id} type="datetime-local" value={localTime(value)} onChange={({ target }) => onChange(target.value)} />
    </span>
  )
}
