import type { TailRow } from '@sonde/contracts'
import { formatBytes, formatEventTime } from '../../ui/units.ts'
import { segmentClass } from '../segment-colour.ts'
import { parseRow } from './parse-row.ts'

/** Characters that the detail shows of one line; an export has all of it. */
const DETAIL_CHARS = 65_536

/** One line in full, wrapped. */
export const RowDetail = ({ row, label, onClose }: { row: TailRow; label: string; onClose: () => void }) => {
  const { verb, args, db, source, error } = parseRow(row)
  const isLong = args.length > DETAIL_CHARS
  return (
    <aside className="row-detail" aria-label="The chosen line">
      <p>
        <span className={`segment-label ${segmentClass(row.segmentNo)}`}>
          {row.segmentNo} {label}
        </span>{' '}
        {formatEventTime(row.eventUs)} · {source || 'no client named'} · db {db || '0'} · chunk {row.seq}, line{' '}
        {row.lineNo} · {formatBytes(row.line.length)}
        <button type="button" className="link" onClick={onClose}>
          Close
        </button>
      </p>
      <pre>
        {error === undefined ? '' : `[${error}] `}
        {verb} {isLong ? `${args.slice(0, DETAIL_CHARS)}…` : args}
      </pre>
      {row.cut && (
        <p className="quiet">The line was longer than its limit, or its stream broke off: no more of it is stored.</p>
      )}
      {isLong && <p className="quiet">Only the beginning is shown. An export has all that is stored.</p>}
    </aside>
  )
}
