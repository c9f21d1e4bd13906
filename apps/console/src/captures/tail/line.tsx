import type { Capture, TailRow } from '@sonde/contracts'
import { addressOf } from '../../targets/target-words.ts'
import { formatEventTime } from '../../ui/units.ts'
import type { LineColumn } from '../capture-view.ts'
import { segmentClass } from '../segment-colour.ts'
import { parseRow } from './parse-row.ts'

/** Height of a row in pixels; the style sheet sets the same. */
export const ROW_PX = 22
/** Characters of a line that its row holds; the rest is in its detail. */
const ROW_CHARS = 1000

/** The server behind a line. */
export const labelOf = ({ segments }: Capture, segmentNo: number): string => {
  const segment = segments.find((each) => each.segmentNo === segmentNo)
  return segment ? addressOf({ host: segment.targetHost, port: segment.targetPort }) : `segment ${segmentNo}`
}

interface LineProps {
  row: TailRow
  capture: Capture
  columns: readonly LineColumn[]
  isChosen: boolean
  onChoose: (row: TailRow | null) => void
}

/** One captured line as a row. */
export const Line = ({ row, capture, columns, isChosen, onChoose }: LineProps) => {
  const { verb, args, db, source, error } = parseRow(row)
  const label = labelOf(capture, row.segmentNo)
  const time = formatEventTime(row.eventUs)
  const has = (column: LineColumn) => columns.includes(column)
  return (
    <button
      type="button"
      className="line"
      tabIndex={-1}
      aria-pressed={isChosen}
      onClick={() => onChoose(isChosen ? null : row)}
    >
      {has('time') && (
        <span className="line-time">
          {time.slice(0, 8)}
          <span className="wide">{time.slice(8)}</span>
        </span>
      )}
      {has('segment') && (
        <span className={`line-segment segment-label ${segmentClass(row.segmentNo)}`} title={label}>
          {row.segmentNo} <span className="wide">{label}</span>
        </span>
      )}
      {has('client') && (
        <span className="line-client" title={source}>
          {source}
          {db !== '' && db !== '0' ? ` db${db}` : ''}
        </span>
      )}
      {has('chunk') && (
        <span className="line-chunk">
          {row.seq}.{row.lineNo}
        </span>
      )}
      <span className="line-text">
        {error !== undefined && <span className="bad">[{error}] </span>}
        {verb !== '' && <b>{verb} </b>}
        {args.length > ROW_CHARS ? `${args.slice(0, ROW_CHARS)}…` : args}
      </span>
    </button>
  )
}
