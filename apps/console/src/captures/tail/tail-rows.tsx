import type { Capture, TailRow } from '@sonde/contracts'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import type { LineColumn } from '../capture-view.ts'
import { labelOf, Line, ROW_PX } from './line.tsx'
import { rowKey } from './parse-row.ts'
import { RowDetail } from './row-detail.tsx'
import type { TailView } from './tail-store.ts'

interface TailRowsProps {
  capture: Capture
  view: TailView
  columns: readonly LineColumn[]
  /** Whether only some of the lines are asked for. */
  isNarrowed: boolean
  isFollowing: boolean
  onFollow: (isFollowing: boolean) => void
}

/** The kept lines; only those in sight are drawn. Scrolling up stops following, scrolling to the end follows again. */
export const TailRows = (props: TailRowsProps) => {
  const { capture, view, columns, isNarrowed, isFollowing, onFollow } = props
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
        {rows.length === 0 && <p className="state">{emptyWords(view, { capture, isNarrowed })}</p>}
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const row = rows[index]
            return (
              row && (
                <div key={key} className="tail-row" style={{ transform: `translateY(${start}px)` }}>
                  <Line row={row} capture={capture} columns={columns} isChosen={row === chosen} onChoose={setChosen} />
                </div>
              )
            )
          })}
        </div>
      </div>
      {chosen && <RowDetail row={chosen} label={labelOf(capture, chosen.segmentNo)} onClose={() => setChosen(null)} />}
    </>
  )
}

const emptyWords = ({ status }: TailView, asked: { capture: Capture; isNarrowed: boolean }): string => {
  if (status === 'connecting') return 'Connecting…'
  if (asked.isNarrowed) return 'No line that was read so far is in the chosen segments and matches the filter.'
  if (asked.capture.status === 'running')
    return 'No line is stored yet. They show about two seconds after the server ran them.'
  return 'No lines were captured.'
}
