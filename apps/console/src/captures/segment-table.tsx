import type { Capture, Segment } from '@sonde/contracts'
import { useState } from 'react'
import { addressOf } from '../targets/target-words.ts'
import { inert } from '../ui/inert.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { reasonWords, SEGMENT_TONE, STORAGE_TONE } from './capture-words.ts'
import { segmentClass } from './segment-colour.ts'
import { SegmentDetail } from './segments/segment-detail.tsx'
import type { RateSample } from './segments/segment-rates.ts'
import { useRates } from './segments/use-rates.ts'

/** The parts of a capture, one a target, each with its own state and counts. */
export const SegmentTable = ({ capture }: { capture: Capture }) => {
  const rates = useRates(capture)
  return (
    <div className="scroll-x segments" role="region" aria-label="Segments" tabIndex={0}>
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
              Per second
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
            <th scope="col">Missing</th>
            <th scope="col">Node</th>
          </tr>
        </thead>
        <tbody>
          {capture.segments.map((segment) => (
            <SegmentRow key={segment.segmentNo} segment={segment} rate={rates.get(segment.segmentNo)} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Columns of the table. */
const COLUMNS = 12

const SegmentRow = ({ segment, rate }: { segment: Segment; rate: RateSample | undefined }) => {
  const [isOpen, setOpen] = useState(false)
  const { counters } = segment
  const reason = reasonWords(segment.terminationReason, segment.terminationDetail)
  const missing = segment.missing?.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(', ')
  return (
    <>
      <tr>
        <th scope="row">
          <button
            type="button"
            className="plain unfold"
            aria-expanded={isOpen}
            aria-label={`More about segment ${segment.segmentNo}`}
            onClick={() => setOpen(!isOpen)}
          >
            <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
          </button>{' '}
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
        <td className="number">{rate?.perSecond == null ? '' : formatCount(rate.perSecond)}</td>
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
        <td>{segment.gaps.length === 0 ? '' : <span className="bad">{placesWords(segment)}</span>}</td>
        <td>
          {segment.nodeId === null ? (
            <span className="quiet">none</span>
          ) : (
            <code title={inert(segment.nodeId)}>{inert(shortId(segment.nodeId))}</code>
          )}
        </td>
      </tr>
      {isOpen && (
        <tr className="unfolded">
          <td colSpan={COLUMNS}>
            <SegmentDetail segment={segment} />
          </td>
        </tr>
      )}
    </>
  )
}

const placesWords = ({ gaps }: Segment): string => {
  const seams = gaps.filter(({ peerSegmentNo }) => peerSegmentNo !== undefined).length
  const count = (number: number, what: string) => (number === 0 ? [] : [`${number} ${what}${number === 1 ? '' : 's'}`])
  return [...count(gaps.length - seams, 'gap'), ...count(seams, 'seam')].join(', ')
}
