import type { Capture } from '@sonde/contracts'
import { useMemo } from 'react'
import { ErrorNotice } from '../../ui/error-notice.tsx'
import { formatCount, zoneName } from '../../ui/units.ts'
import { columnsText, segmentsParameter } from '../capture-view.ts'
import type { LineChoice } from '../line-choice.ts'
import { filterProblem, inSegments, narrow } from '../filter/filter-terms.ts'
import type { ChangeView } from '../filter/filter-bar.tsx'
import { ColumnChoice } from '../tail/column-choice.tsx'
import { FacetList } from './facet-list.tsx'
import { SearchRows } from './search-rows.tsx'
import { incompleteWords, planWords, totalWords } from './search-words.ts'
import { useSearch } from './use-search.ts'

interface SearchPanelProps {
  capture: Capture
  choice: LineChoice
  /** The filter as it was typed, to which facets add. */
  typed: string
  onChange: ChangeView
}

/** The chosen lines among all that are stored, with what they are made of. */
export const SearchPanel = ({ capture, choice, typed, onChange }: SearchPanelProps) => {
  const filter = inSegments(choice.filter, choice.segments)
  const isReadable = filterProblem(filter) === undefined
  const found = useSearch(capture.id, filter, isReadable)
  const rows = useMemo(() => found.data?.pages.flatMap((page) => page.rows) ?? [], [found.data])
  const first = found.data?.pages[0]
  if (!isReadable) return <p className="state">The filter cannot be read, so nothing was searched.</p>
  const incomplete = incompleteWords(capture, first?.incomplete ?? [])
  return (
    <section className="tail search" aria-label="Search">
      <div className="tail-bar">
        <span role="status">
          {found.isFetching && !found.isFetchingNextPage ? 'Searching…' : totalWords(first?.total ?? null)}
        </span>
        <button type="button" onClick={() => void found.refetch()} disabled={found.isFetching}>
          Search again
        </button>
        <ColumnChoice columns={choice.columns} onChange={(columns) => onChange({ columns: columnsText(columns) })} />
        <span className="quiet">{planWords(first?.plan ?? null)}</span>
        <span className="quiet zone">times in {zoneName()}</span>
      </div>
      {found.error ? (
        <ErrorNotice error={found.error} what="The search did not end" retry={() => void found.refetch()} />
      ) : null}
      {incomplete.length > 0 && (
        <details className="tail-notice">
          <summary>
            Lines of {incomplete.length} {incomplete.length === 1 ? 'segment' : 'segments'} may be missing here
          </summary>
          <ul>
            {incomplete.map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        </details>
      )}
      {first && (
        <div className="found" aria-busy={found.isPlaceholderData}>
          {first.facets && (
            <FacetList
              capture={capture}
              facets={first.facets}
              onTerm={(term) => onChange({ q: narrow(typed, term) })}
              onSegment={(segmentNo) => onChange({ segments: segmentsParameter([segmentNo]) })}
            />
          )}
          <div className="found-lines">
            {rows.length === 0 ? (
              <p className="state">{found.hasNextPage ? 'No line was found yet.' : 'No stored line matches.'}</p>
            ) : (
              <SearchRows capture={capture} rows={rows} columns={choice.columns} />
            )}
            <p className="found-foot">
              <span className="quiet">{formatCount(rows.length)} shown, oldest first</span>
              {found.hasNextPage && (
                <button type="button" disabled={found.isFetching} onClick={() => void found.fetchNextPage()}>
                  {found.isFetchingNextPage ? 'Reading…' : 'More lines'}
                </button>
              )}
            </p>
          </div>
        </div>
      )}
    </section>
  )
}
