import type { RosterNode, Target } from '@sonde/contracts'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, type RefObject } from 'react'
import { FLEET_COLUMNS, type FleetColumn, type FleetSearch } from './fleet-view.ts'
import { NodeRow, rowId } from './node-row.tsx'
import { useFreshNodes } from './queries.ts'

/** Height of a row in pixels; the style sheet sets the same. */
const ROW_PX = 30

const HEADS: Record<FleetColumn, string> = {
  node: 'Node',
  state: 'State',
  liveness: 'Liveness',
  work: 'New work',
  version: 'Version',
  targets: 'Targets',
  beat: 'Last beat',
}

interface FleetTableProps {
  sessionId: string
  /** As they are to be shown. */
  nodes: readonly RosterNode[]
  targets: ReadonlyMap<string, readonly Target[]>
  search: FleetSearch
  onSort: (column: FleetColumn) => void
  /** The node under the keyboard's mark. */
  current: string | undefined
  onChoose: (nodeId: string) => void
  /** Whether the roster is read so rarely that rows in sight are read by themselves. */
  isLarge: boolean
  table: RefObject<HTMLTableElement | null>
}

/** The nodes, a row each; only those in sight are drawn. */
export const FleetTable = (props: FleetTableProps) => {
  const { sessionId, nodes, targets, search, onSort, current, onChoose, isLarge, table } = props
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: nodes.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    // The head lies over the first rows of the box.
    scrollPaddingStart: ROW_PX,
  })
  const items = virtual.getVirtualItems()
  // Rows that fly by are not worth a call.
  const toRead = isLarge && !virtual.isScrolling ? items.flatMap(({ index }) => nodes[index]?.nodeId ?? []) : []
  const fresh = useFreshNodes(sessionId, toRead)
  const currentIndex = current === undefined ? -1 : nodes.findIndex(({ nodeId }) => nodeId === current)
  useEffect(() => {
    if (currentIndex >= 0) virtual.scrollToIndex(currentIndex, { align: 'auto' })
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only when the mark moves: a refresh must not scroll back to it
  }, [current])
  const before = items[0]?.start ?? 0
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  const sorted = search.sort ?? 'node'
  return (
    <div className="grid-box" ref={box}>
      <table
        ref={table}
        className="grid fleet"
        role="grid"
        tabIndex={0}
        aria-label="Nodes"
        aria-rowcount={nodes.length + 1}
        aria-activedescendant={currentIndex >= 0 ? rowId(nodes[currentIndex]?.attachmentId) : undefined}
      >
        <thead>
          <tr aria-rowindex={1}>
            {FLEET_COLUMNS.map((column) => (
              <th
                key={column}
                scope="col"
                className={`col-${column}`}
                aria-sort={sorted !== column ? 'none' : search.desc ? 'descending' : 'ascending'}
              >
                <button type="button" className="head" onClick={() => onSort(column)}>
                  {HEADS[column]} <span aria-hidden="true">{sorted !== column ? '' : search.desc ? '↓' : '↑'}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <Gap height={before} />}
          {items.map(({ index }) => {
            const node = nodes[index]
            return (
              node && (
                <NodeRow
                  key={node.attachmentId}
                  node={(isLarge && fresh.data?.get(node.nodeId)) || node}
                  targets={targets.get(node.nodeId)}
                  position={index + 2}
                  isCurrent={index === currentIndex}
                  onChoose={onChoose}
                />
              )
            )
          })}
          {after > 0 && <Gap height={after} />}
        </tbody>
      </table>
    </div>
  )
}

/** Stands for the rows that are out of sight. */
const Gap = ({ height }: { height: number }) => (
  <tr aria-hidden="true" className="gap" style={{ height }}>
    <td />
  </tr>
)
