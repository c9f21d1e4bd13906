import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { useSession } from '../sessions/queries.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { CaptureHeader } from './capture-header.tsx'
import { lineChoice } from './line-choice.ts'
import { FilterBar, type ChangeView } from './filter/filter-bar.tsx'
import { filterProblem } from './filter/filter-terms.ts'
import { useCapture } from './queries.ts'
import { SearchPanel } from './search/search-panel.tsx'
import { SegmentTable } from './segment-table.tsx'
import { TailPanel } from './tail/tail-panel.tsx'
import { TimelinePanel } from './timeline/timeline-panel.tsx'

const CAPTURE = '/sessions/$sessionId/captures/$captureId'

/** One capture: how it stands, its parts, its course, and its lines: as they are stored, or as a search finds them. */
export const CapturePage = () => {
  const { sessionId, captureId } = useParams({ from: CAPTURE })
  const view = useSearch({ from: CAPTURE })
  const navigate = useNavigate({ from: CAPTURE })
  const capture = useCapture(captureId)
  const role = useSession(sessionId).data?.role
  const change = useCallback<ChangeView>(
    (changed) =>
      void navigate({
        search: (before) =>
          Object.fromEntries(Object.entries({ ...before, ...changed }).filter(([, value]) => value !== undefined)),
        replace: true,
      }),
    [navigate],
  )
  const { data } = capture
  const notice = capture.error ? (
    <ErrorNotice error={capture.error} what="The capture could not be read" retry={() => void capture.refetch()} />
  ) : null
  if (!data) return notice ?? <p className="state">Loading the capture…</p>
  const choice = lineChoice(view)
  const isSearch = view.view === 'search'
  return (
    <div className="capture">
      {notice}
      <CaptureHeader capture={data} role={role} choice={choice} />
      <SegmentTable capture={data} />
      <TimelinePanel capture={data} choice={choice} onRange={change} />
      <div className="lines-head">
        <h2>Lines</h2>
        <span className="chips" role="group" aria-label="Which lines">
          <button type="button" className="chip" aria-pressed={!isSearch} onClick={() => change({ view: undefined })}>
            Tail
          </button>
          <button type="button" className="chip" aria-pressed={isSearch} onClick={() => change({ view: 'search' })}>
            Search
          </button>
        </span>
        <FilterBar capture={data} view={view} onChange={change} />
      </div>
      {isSearch ? (
        <SearchPanel capture={data} choice={choice} typed={view.q ?? ''} onChange={change} />
      ) : filterProblem(choice.filter) === undefined ? (
        // Another choice of lines is another tail.
        <TailPanel
          key={`${data.id} ${choice.segments.join()} ${choice.filter}`}
          capture={data}
          choice={choice}
          onChange={change}
        />
      ) : (
        <p className="state">The filter cannot be read, so no lines are shown.</p>
      )}
    </div>
  )
}
