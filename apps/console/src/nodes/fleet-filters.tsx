import type { RosterNode } from '@sonde/contracts'
import { useMemo, useState, type RefObject } from 'react'
import { formatCount } from '../ui/units.ts'
import { countWork, type FleetSearch, type WorkFilter } from './fleet-view.ts'
import { BLOCKER_WORDS, BLOCKERS, STATES } from './node-words.ts'

interface FleetFiltersProps {
  nodes: readonly RosterNode[]
  search: FleetSearch
  onChange: (changed: { [K in keyof FleetSearch]?: FleetSearch[K] | undefined }) => void
  textField: RefObject<HTMLInputElement | null>
}

/** What is asked of the fleet. Each reason for no new work is a button with its count, which shows those nodes alone. */
export const FleetFilters = ({ nodes, search, onChange, textField }: FleetFiltersProps) => {
  // The field is ahead of the address while somebody types.
  const [text, setText] = useState(search.q ?? '')
  const counts = useMemo(() => countWork(nodes), [nodes])
  const setQ = (q: string) => {
    setText(q)
    onChange({ q: q.trim() === '' ? undefined : q })
  }
  const work: WorkFilter[] = ['ready', 'blocked', ...BLOCKERS]
  return (
    <div className="filters" role="search" aria-label="Nodes">
      <input
        ref={textField}
        type="search"
        aria-label="Filter by name, id, host, version or target"
        placeholder="name, id, host, version, target   /"
        value={text}
        onChange={({ target }) => setQ(target.value)}
      />
      <select
        aria-label="State"
        value={search.state ?? ''}
        onChange={({ target }) => onChange({ state: STATES.find((state) => state === target.value) })}
      >
        <option value="">any state</option>
        {STATES.map((state) => (
          <option key={state} value={state}>
            {state}
          </option>
        ))}
      </select>
      <span className="chips" role="group" aria-label="New work">
        {work
          .filter((each) => each === 'ready' || each === search.work || (counts.get(each) ?? 0) > 0)
          .map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={search.work === each}
              onClick={() => onChange({ work: search.work === each ? undefined : each })}
            >
              {workWords(each)} <b>{formatCount(counts.get(each) ?? 0)}</b>
            </button>
          ))}
      </span>
      <label className="check">
        <input
          type="checkbox"
          checked={search.ended === true}
          onChange={({ target }) => onChange({ ended: target.checked ? true : undefined })}
        />{' '}
        long ended too
      </label>
    </div>
  )
}

const workWords = (work: WorkFilter): string => {
  if (work === 'ready') return 'ready'
  return work === 'blocked' ? 'not ready' : BLOCKER_WORDS[work]
}
