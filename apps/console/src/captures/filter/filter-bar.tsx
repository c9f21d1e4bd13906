import type { Capture } from '@sonde/contracts'
import { addressOf } from '../../targets/target-words.ts'
import { formatEventTime } from '../../ui/units.ts'
import { segmentsParameter, type CaptureView } from '../capture-view.ts'
import { lineChoice } from '../line-choice.ts'
import { segmentClass } from '../segment-colour.ts'
import { FilterField } from './filter-field.tsx'

export type ChangeView = (changed: { [K in keyof CaptureView]?: CaptureView[K] | undefined }) => void

interface FilterBarProps {
  capture: Capture
  view: CaptureView
  onChange: ChangeView
}

/** Which lines of the capture are meant: in the tail, the search and the export alike. */
export const FilterBar = ({ capture, view, onChange }: FilterBarProps) => {
  const { segments, range } = lineChoice(view)
  const toggle = (segmentNo: number) =>
    onChange({
      segments: segmentsParameter(
        segments.includes(segmentNo) ? segments.filter((each) => each !== segmentNo) : [...segments, segmentNo],
      ),
    })
  return (
    <div className="filter-bar">
      <FilterField filter={view.q ?? ''} onApply={(q) => onChange({ q: q === '' ? undefined : q })} />
      {capture.segments.length > 1 && (
        <div className="chips" role="group" aria-label="Segments">
          {capture.segments.map(({ segmentNo, targetHost, targetPort }) => (
            <button
              key={segmentNo}
              type="button"
              className="chip"
              aria-pressed={segments.includes(segmentNo)}
              title={addressOf({ host: targetHost, port: targetPort })}
              onClick={() => toggle(segmentNo)}
            >
              <span className={`segment-label ${segmentClass(segmentNo)}`}>segment {segmentNo}</span>
            </button>
          ))}
        </div>
      )}
      {range && (
        <button
          type="button"
          className="chip"
          aria-pressed="true"
          title="Lifts the limits of time"
          onClick={() => onChange({ from: undefined, to: undefined })}
        >
          {formatEventTime(range.from)} to {formatEventTime(range.to)} <span aria-hidden="true">✕</span>
        </button>
      )}
    </div>
  )
}
