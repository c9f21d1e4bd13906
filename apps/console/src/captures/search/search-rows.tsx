import type { Capture, SearchRow } from '@sonde/contracts'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useRef, useState } from 'react'
import type { LineColumn } from '../capture-view.ts'
import { labelOf, Line, ROW_PX } from '../tail/line.tsx'
import { rowKey } from '../tail/parse-row.ts'
import { RowDetail } from '../tail/row-detail.tsx'

interface SearchRowsProps {
  capture: Capture
  rows: readonly SearchRow[]
  columns: readonly LineColumn[]
}

/** The lines that were found so far; only those in sight are drawn. */
export const SearchRows = ({ capture, rows, columns }: SearchRowsProps) => {
  const box = useRef<HTMLDivElement>(null)
  const [chosen, setChosen] = useState<string | null>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  })
  const open = rows.find((row) => rowKey(row) === chosen)
  return (
    <>
      <div ref={box} className="tail-rows" tabIndex={0} role="region" aria-label="Found lines">
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]
            return (
              row && (
                <div key={rowKey(row)} className="tail-row" style={{ transform: `translateY(${start}px)` }}>
                  <Line
                    row={row}
                    capture={capture}
                    columns={columns}
                    isChosen={row === open}
                    onChoose={(next) => setChosen(next && rowKey(next))}
                  />
                </div>
              )
            )
          })}
        </div>
      </div>
      {open && <RowDetail row={open} label={labelOf(capture, open.segmentNo)} onClose={() => setChosen(null)} />}
    </>
  )
}
