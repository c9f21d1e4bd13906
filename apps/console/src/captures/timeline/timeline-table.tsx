import { formatCount } from '../../ui/units.ts'
import type { TimeRange } from '../capture-view.ts'
import { bucketTime, rateOf, totalRates, type Timeline } from './timeline-buckets.ts'

/** Segments that have a column of their own. */
const MOST_COLUMNS = 8

interface TimelineTableProps {
  timeline: Timeline
  range: TimeRange | undefined
  onRange: (range: TimeRange) => void
}

/** The timeline in numbers, and the way to choose a time by keyboard. */
export const TimelineTable = ({ timeline, range, onRange }: TimelineTableProps) => {
  const { startUs, bucketUs, bucketCount } = timeline
  const segments = timeline.segments.slice(0, MOST_COLUMNS)
  const endUs = startUs + bucketUs * bucketCount
  return (
    <div className="scroll-x timeline-table" role="region" aria-label="Lines per second in numbers" tabIndex={0}>
      <table>
        <caption className="hidden">Lines per second by time</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col" className="number">
              All
            </th>
            {segments.map(({ segmentNo }) => (
              <th key={segmentNo} scope="col" className="number">
                Segment {segmentNo}
              </th>
            ))}
            <th scope="col">Show lines</th>
          </tr>
        </thead>
        <tbody>
          {totalRates(timeline).map((total, index) => {
            const from = startUs + index * bucketUs
            const words = bucketTime(timeline, index)
            return (
              <tr key={from}>
                <th scope="row">{words}</th>
                <td className="number">{formatCount(total)}</td>
                {segments.map((segment) => (
                  <td key={segment.segmentNo} className="number">
                    {formatCount(rateOf(segment, index, bucketUs))}
                  </td>
                ))}
                <td>
                  <button
                    type="button"
                    className="link"
                    aria-label={`from here: ${words}`}
                    onClick={() => onRange({ from, to: Math.max(range?.to ?? endUs, from + bucketUs - 1) })}
                  >
                    from here
                  </button>{' '}
                  <button
                    type="button"
                    className="link"
                    aria-label={`up to here: ${words}`}
                    onClick={() => {
                      const to = from + bucketUs - 1
                      onRange({ from: Math.min(range?.from ?? startUs, from), to })
                    }}
                  >
                    up to here
                  </button>
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
