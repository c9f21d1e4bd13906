import type { Target } from '@sonde/contracts'
import { Link } from '@tanstack/react-router'
import { inert } from '../ui/inert.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { shortId } from '../ui/units.ts'
import { addressOf, HEALTH_TONE, slotWords } from './target-words.ts'

interface TargetTableProps {
  targets: Target[]
  sessionId: string
  /** The node under which they are shown; the other readers are named. */
  readBy?: string
  /** Whether the column heads are seen; they are read out in any case. @default true */
  hasHead?: boolean
}

/** Widths, so that the tables of all nodes line up. */
const COLUMNS = ['22%', '8%', '13%', '11%', '10%', '14%', '13%', '9%']

/** Servers, with what they serve, who reads them and what holds them. */
export const TargetTable = ({ targets, sessionId, readBy, hasHead = true }: TargetTableProps) => (
  <table className="targets">
    <caption className="hidden">Targets</caption>
    <colgroup>
      {COLUMNS.map((width, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a column is its place
        <col key={index} width={width} />
      ))}
    </colgroup>
    <thead className={hasHead ? undefined : 'hidden'}>
      <tr>
        <th scope="col">Target</th>
        <th scope="col">Role</th>
        <th scope="col">Slots</th>
        <th scope="col">Cluster</th>
        <th scope="col">Health</th>
        <th scope="col">Read by</th>
        <th scope="col">Captured by</th>
        <th scope="col">Last seen</th>
      </tr>
    </thead>
    <tbody>
      {targets.map((target) => (
        <tr key={target.id}>
          <th scope="row">
            <code>{addressOf(target)}</code> {target.kind === 'synthetic' && <SyntheticTag />}
            {target.serverVersion !== null && <span className="quiet"> {inert(target.serverVersion)}</span>}
          </th>
          <td>{target.role}</td>
          <td className="slots" title={slotWords(target.slots)}>
            {slotWords(target.slots) || (target.clusterId !== null && <span className="quiet">none</span>)}
          </td>
          <td>
            {target.clusterId === null ? (
              <span className="quiet">standalone</span>
            ) : (
              <code title={target.clusterId}>{shortId(target.clusterId)}</code>
            )}
          </td>
          <td>
            <Mark tone={HEALTH_TONE[target.health]} text={target.health} />
          </td>
          <td>
            <Readers nodeIds={target.nodeIds} readBy={readBy} />
          </td>
          <td>
            {target.heldBy === null ? (
              <span className="quiet">nothing</span>
            ) : (
              <Link
                to="/sessions/$sessionId/captures/$captureId"
                params={{ sessionId, captureId: target.heldBy }}
                title={target.heldBy}
              >
                capture {shortId(target.heldBy)}
              </Link>
            )}
          </td>
          <td>
            <Ago at={target.lastSeenAt} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
)

const Readers = ({ nodeIds, readBy }: { nodeIds: string[]; readBy: string | undefined }) => {
  if (nodeIds.length === 0) return <Mark tone="warn" text="no node" />
  const others = nodeIds.filter((nodeId) => nodeId !== readBy)
  if (readBy !== undefined && others.length === 0) return <span className="quiet">this node</span>
  return (
    <span title={inert(others.join('\n'))}>
      {readBy === undefined ? '' : 'this node, '}
      {others
        .slice(0, 2)
        .map((nodeId) => inert(shortId(nodeId)))
        .join(', ')}
      {others.length > 2 ? ` and ${others.length - 2} more` : ''}
    </span>
  )
}
