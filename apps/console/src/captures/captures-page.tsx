import type { CaptureSummary } from '@sonde/contracts'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { inert } from '../ui/inert.ts'
import { ListState } from '../ui/list-state.tsx'
import { Mark } from '../ui/mark.tsx'
import { Ago, useNow } from '../ui/time.tsx'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { CAPTURE_TONE, elapsedMs, reasonWords } from './capture-words.ts'
import { ListFilters } from './list-filters.tsx'
import { useCaptures } from './queries.ts'

const CAPTURES = '/sessions/$sessionId/captures'

/** The captures of a session, newest first. */
export const CapturesPage = () => {
  const { sessionId } = useParams({ from: CAPTURES })
  const search = useSearch({ from: CAPTURES })
  const navigate = useNavigate({ from: CAPTURES })
  const list = useCaptures(sessionId, search)
  const captures = list.data?.pages.flatMap((page) => page.captures) ?? []
  return (
    <>
      <div className="title-row">
        <h1>Captures</h1>
        <Link to="/sessions/$sessionId/captures/new" params={{ sessionId }} className="button primary">
          Start a capture
        </Link>
      </div>
      <ListFilters search={search} onChange={(next) => void navigate({ search: next, replace: true })} />
      <ListState
        what="captures"
        query={list}
        isEmpty={captures.length === 0}
        empty={
          <p>
            {Object.keys(search).length === 0
              ? 'Nothing was captured in this session yet. Start a capture to see what its servers do.'
              : 'No capture is as asked.'}
          </p>
        }
      >
        <div className="scroll-x" role="region" aria-label="Captures" tabIndex={0}>
          <table>
            <caption className="hidden">Captures, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Capture</th>
                <th scope="col">Status</th>
                <th scope="col">Why it ended</th>
                <th scope="col" className="number">
                  Lines
                </th>
                <th scope="col" className="number">
                  Size
                </th>
                <th scope="col" className="number">
                  Duration
                </th>
                <th scope="col" className="number">
                  Targets
                </th>
                <th scope="col">Started</th>
              </tr>
            </thead>
            <tbody>
              {captures.map((capture) => (
                <CaptureRow key={capture.id} capture={capture} sessionId={sessionId} />
              ))}
            </tbody>
          </table>
        </div>
        {list.hasNextPage && (
          <button
            type="button"
            className="plain more"
            disabled={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {list.isFetchingNextPage ? 'Loading…' : 'Older captures'}
          </button>
        )}
      </ListState>
    </>
  )
}

const CaptureRow = ({ capture, sessionId }: { capture: CaptureSummary; sessionId: string }) => {
  const elapsed = elapsedMs(capture, useNow())
  return (
    <tr>
      <th scope="row">
        <Link
          to="/sessions/$sessionId/captures/$captureId"
          params={{ sessionId, captureId: capture.id }}
          title={capture.id}
        >
          {capture.reasonText === null ? `capture ${shortId(capture.id)}` : inert(capture.reasonText)}
        </Link>
      </th>
      <td>
        <Mark tone={CAPTURE_TONE[capture.status]} text={capture.status} />
      </td>
      <td className="wrap">{reasonWords(capture.terminationReason, capture.terminationDetail)}</td>
      <td className="number">{formatCount(capture.lineCount)}</td>
      <td className="number">{formatBytes(capture.byteCount)}</td>
      <td className="number">{elapsed === null ? '' : formatDuration(elapsed)}</td>
      <td className="number">{formatCount(capture.segmentCount)}</td>
      <td>
        <Ago at={capture.startedAt ?? capture.createdAt} />
      </td>
    </tr>
  )
}
