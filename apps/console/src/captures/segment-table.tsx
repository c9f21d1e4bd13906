import type { Capture, Segment } from '@sonde/contracts'
import { addressOf } from '../targets/target-words.ts'
import { inert } from '../ui/inert.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { reasonWords, SEGMENT_TONE, STORAGE_TONE } from './capture-words.ts'
import { segmentClass } from './segment-colour.ts'

/** The parts of a capture, one a target, each with its own state and counts. */
export const SegmentTable = ({ capture }: { capture: Capture }) => (
  <div className="scroll-x segments">
    <table>
      <caption className="hidden">Segments</caption>
      <thead>
        <tr>
          <th scope="col">Segment</th>
          <th scope="col">Status</th>
          <th scope="col" className="number">
            Received
          </th>
          <th scope="col" className="number">
            Recorded
          </th>
          <th scope="col" className="number">
            Dropped
          </th>
          <th scope="col" className="number">
            Stored
          </th>
          <th scope="col" className="number">
            Size
          </th>
          <th scope="col" className="number">
            Lag
          </th>
          <th scope="col">Storage</th>
          <th scope="col">Node</th>
        </tr>
      </thead>
      <tbody>
        {capture.segments.map((segment) => (
          <SegmentRow key={segment.segmentNo} segment={segment} />
        ))}
      </tbody>
    </table>
  </div>
)

const SegmentRow = ({ segment }: { segment: Segment }) => {
  const { counters } = segment
  const reason = reasonWords(segment.terminationReason, segment.terminationDetail)
  const missing = segment.missing?.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(', ')
  return (
    <tr>
      <th scope="row">
        <span className={`segment-label ${segmentClass(segment.segmentNo)}`}>
          {segment.segmentNo} <code>{addressOf({ host: segment.targetHost, port: segment.targetPort })}</code>
        </span>{' '}
        {segment.targetKind === 'synthetic' && <SyntheticTag />} <span className="quiet">{segment.role}</span>
      </th>
      <td className="wrap">
        <Mark tone={SEGMENT_TONE[segment.status]} text={segment.status} />
        {reason && <span className="quiet"> {reason}</span>}
      </td>
      <td className="number">{formatCount(counters.received)}</td>
      <td className="number" title={`${counters.malformed} malformed, ${counters.cut} cut`}>
        {formatCount(counters.recorded)}
      </td>
      <td className="number">
        {counters.dropped === 0 ? '0' : <strong className="bad">{formatCount(counters.dropped)}</strong>}
      </td>
      <td className="number">{formatCount(segment.lineCount)}</td>
      <td className="number">{formatBytes(segment.byteCount)}</td>
      <td className="number">{segment.lagMs === null ? '' : formatDuration(segment.lagMs)}</td>
      <td>
        <Mark tone={STORAGE_TONE[segment.storage]} text={segment.storage} />
        {missing && <span className="bad"> chunks {missing} are missing</span>}
      </td>
      <td>
        {segment.nodeId === null ? (
          <span className="quiet">none</span>
        ) : (
          <code title={inert(segment.nodeId)}>{inert(shortId(segment.nodeId))}</code>
        )}
      </td>
    </tr>
  )
}
