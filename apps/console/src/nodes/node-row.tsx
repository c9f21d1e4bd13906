import type { RosterNode, Target } from '@sonde/contracts'
import { memo } from 'react'
import { addressOf } from '../targets/target-words.ts'
import { inert } from '../ui/inert.ts'
import { SyntheticTag } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { shortId } from '../ui/units.ts'
import { LivenessMark, StateMark, WorkMark } from './node-marks.tsx'
import { nodeName } from './node-words.ts'

/** The id of a row's element. */
export const rowId = (attachmentId: string | undefined): string => `row-${attachmentId}`

interface NodeRowProps {
  node: RosterNode
  targets: readonly Target[] | undefined
  /** Among all rows, the head being 1. */
  position: number
  isCurrent: boolean
  onChoose: (nodeId: string) => void
}

/** One node in one line. */
export const NodeRow = memo(({ node, targets = [], position, isCurrent, onChoose }: NodeRowProps) => {
  const name = inert(nodeName(node))
  const id = inert(shortId(node.nodeId))
  const [first] = targets
  return (
    <tr
      id={rowId(node.attachmentId)}
      aria-rowindex={position}
      aria-selected={isCurrent}
      onClick={() => onChoose(node.nodeId)}
    >
      <th scope="row" className="col-node" title={inert(`${nodeName(node)}\n${node.nodeId}`)}>
        <b>{name}</b> {name !== id && <code className="quiet">{id}</code>}
        {node.cloneAlarm && <span className="tag"> two daemons</span>}
      </th>
      <td className="col-state">
        <StateMark node={node} />
      </td>
      <td className="col-liveness">
        <LivenessMark node={node} />
      </td>
      <td className="col-work">
        <WorkMark node={node} />
      </td>
      <td className="col-version">
        {inert(node.clientVersion)}
        {node.readOnly && <span className="warn"> read-only</span>}
      </td>
      <td className="col-targets" title={targets.map(addressOf).join('\n')}>
        {first === undefined ? (
          <span className="quiet">none</span>
        ) : (
          <>
            <code>{addressOf(first)}</code> {first.kind === 'synthetic' && <SyntheticTag />}
            {targets.length > 1 && <span className="quiet"> +{targets.length - 1}</span>}
          </>
        )}
      </td>
      <td className="col-beat">
        <Ago at={node.lastHeartbeatAt} />
      </td>
    </tr>
  )
})
NodeRow.displayName = 'NodeRow'
