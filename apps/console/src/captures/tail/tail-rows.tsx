import type { Capture, TailRow } from '@sonde/contracts'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import { addressOf } from '../../targets/target-words.ts'
import { formatEventTime } from '../../ui/units.ts'
import { segmentClass } from '../segment-colour.ts'
import { parseRow, rowKey } from './parse-row.ts'
import { RowDetail } from './row-detail.tsx'
import type { TailView } from './tail-store.ts'

/** Height of a row in pixels; the style sheet sets the same. */
const ROW_PX = 22
/** Characters of a line that its row holds; the rest is in its detail. */
const ROW_CHARS = 1000

interface TailRowsProps {
  capture: Capture
  view: TailView
  isFollowing: boolean
  onFollow: (isFollowing: boolean) => void
}

/** The kept lines; only those in sight are drawn. Scrolling up stops following, scrolling to the end follows again. */
export const TailRows = ({ capture, view, isFollowing, onFollow }: TailRowsProps) => {
  const { rows, trimmed } = view
  const box = useRef<HTMLDivElement>(null)
  const [chosen, setChosen] = useState<TailRow | null>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index]
      return row ? rowKey(row) : index
    },
  })
  const trimmedBefore = useRef(trimmed)
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    if (isFollowing) element.scrollTop = element.scrollHeight
    // What is looked at stays where it is while older lines go.
    else element.scrollTop -= (trimmed - trimmedBefore.current) * ROW_PX
    trimmedBefore.current = trimmed
  }, [rows, trimmed, isFollowing])

  const onScroll = () => {
    const element = box.current
    if (!element) return
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < ROW_PX
    if (isAtEnd && !isFollowing) onFollow(true)
  }
  const onAwayFromEnd = () => {
    const element = box.current
    if (element && isFollowing && element.scrollHeight > element.clientHeight) onFollow(false)
  }
  return (
    <>
      <div
        ref={box}
        className="tail-rows"
        tabIndex={0}
        role="region"
        aria-label="Captured lines"
        onScroll={onScroll}
        onWheel={({ deltaY }) => deltaY < 0 && onAwayFromEnd()}
        onTouchMove={onAwayFromEnd}
        onKeyDown={({ key }) => /^(ArrowUp|PageUp|Home)$/.test(key) && onAwayFromEnd()}
      >
        {rows.length === 0 && <p className="state">{emptyWords(view, capture)}</p>}
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const row = rows[index]
            return (
              row && (
                <div key={key} className="tail-row" style={{ transform: `translateY(${start}px)` }}>
                  <Line row={row} capture={capture} isChosen={row === chosen} onChoose={setChosen} />
                </div>
              )
            )
          })}
        </div>
      </div>
      {chosen && <RowDetail row={chosen} label={labelOf(capture, chosen)} onClose={() => setChosen(null)} />}
    </>
  )
}

const emptyWords = ({ status }: TailView, capture: Capture): string => {
  if (status === 'connecting') return 'Connecting…'
  if (capture.status === 'running')
    return 'No line is stored yet. They show about two seconds after the server ran them.'
  return 'No lines were captured.'
}

const labelOf = ({ segments }: Capture, { segmentNo }: TailRow): string => {
  const segment = segments.find((each) => each.segmentNo === segmentNo)
  return segment ? addressOf({ host: segment.targetHost, port: segment.targetPort }) : `segment ${segmentNo}`
}

interface LineProps {
  row: TailRow
  capture: Capture
  isChosen: boolean
  onChoose: (row: TailRow | null) => void
}

const Line = ({ row, capture, isChosen, onChoose }: LineProps) => {
  const { verb, args, db, source, error } = parseRow(row)
  const label = labelOf(capture, row)
  const time = formatEventTime(row.eventUs)
  return (
    <button
      type="button"
      className="line"
      tabIndex={-1}
      aria-pressed={isChosen}
      onClick={() => onChoose(isChosen ? null : row)}
    >
      <span className="line-time">
        {time.slice(0, 8)}
        <span className="wide">{time.slice(8)}</span>
      </span>
      <span className={`line-segment segment-label ${segmentClass(row.segmentNo)}`} title={label}>
        {row.segmentNo} <span className="wide">{label}</span>
      </span>
      <span className="line-client" title={source}>
        {source}
        {db !== '' && db !== '0' ? ` db${db}` : ''}
      </span>
      <span className="line-text">
        {error !== undefined && <span className="bad">[{error}] </span>}
        {verb !== '' && <b>{verb} </b>}
        {args.length > ROW_CHARS ? `${args.slice(0, ROW_CHARS)}…` : args}
      </span>
    </button>
  )
}
