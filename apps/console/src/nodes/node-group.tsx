import type { RosterNode, Target } from '@sonde/contracts'
import { useId, useState } from 'react'
import { TargetTable } from '../targets/target-table.tsx'
import { inert } from '../ui/inert.ts'
import { Mark } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { formatInstant, shortId } from '../ui/units.ts'
import { BLOCKER_WORDS, LIVENESS_TONE, STATE_TONE, versionWords } from './node-words.ts'

interface NodeGroupProps {
  node: RosterNode
  floor: string | null
  targets: Target[]
  isLoading: boolean
  sessionId: string
  /** The first one shows the heads of the target columns for all. */
  isFirst: boolean
}

/** One node, with its targets under it. */
export const NodeGroup = ({ node, floor, targets, isLoading, sessionId, isFirst }: NodeGroupProps) => {
  const [isOpen, setOpen] = useState(true)
  const id = useId()
  const { state, liveness, schedulable, blockers, endedAt } = node
  return (
    <tbody>
      <tr className="node">
        <th scope="row">
          <button
            type="button"
            className="fold"
            aria-expanded={isOpen}
            aria-controls={id}
            onClick={() => setOpen(!isOpen)}
          >
            <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>{' '}
            <code title={inert(node.nodeId)}>{inert(shortId(node.nodeId))}</code>
          </button>
        </th>
        <td>
          <Mark
            tone={STATE_TONE[state]}
            text={state}
            title={endedAt === null ? undefined : `Ended ${formatInstant(endedAt)}`}
          />
        </td>
        <td>
          {liveness === null ? (
            <span className="quiet">unknown</span>
          ) : (
            <Mark
              tone={LIVENESS_TONE[liveness]}
              text={liveness}
              title={`From its last beat. Last announced: ${node.healthState ?? 'nothing yet'}`}
            />
          )}
        </td>
        <td>
          {schedulable ? (
            <Mark tone="good" text="ready" />
          ) : (
            <Mark tone="warn" text={blockers.map((blocker) => BLOCKER_WORDS[blocker]).join(', ')} />
          )}
        </td>
        <td>
          {inert(node.clientVersion)} <span className="quiet">{versionWords(node, floor)}</span>
        </td>
        <td>
          <Ago at={node.lastHeartbeatAt} />
        </td>
      </tr>
      <tr className="node-targets" id={id} hidden={!isOpen}>
        <td colSpan={6}>
          {isLoading ? (
            <p className="quiet">Loading targets…</p>
          ) : targets.length === 0 ? (
            <p className="quiet">It reads no target.</p>
          ) : (
            <TargetTable targets={targets} sessionId={sessionId} readBy={node.nodeId} hasHead={isFirst} />
          )}
        </td>
      </tr>
    </tbody>
  )
}
