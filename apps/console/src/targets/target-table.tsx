import type { Target } from '@sonde/contracts'
import { Link } from '@tanstack/react-router'
import { inert } from '../ui/inert.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { shortId } from '../ui/units.ts'
import { addressOf, HEALTH_TONE, slotWords } from './target-words.ts'
import type { Shard } from './topology.ts'

interface TargetTableProps {
  /** What the table is of. */
  caption: string
  /** Each is set apart from the next. */
  shards: readonly Shard[]
  sessionId: string
  /** Whether slots are told, as of a cluster. */
  hasSlots: boolean
}

/** Servers, with what they serve, who reads them and what captures them. */
export const TargetTable = ({ caption, shards, sessionId, hasSlots }: TargetTableProps) => (
  <div className="scroll-x" role="region" aria-label={caption} tabIndex={0}>
    <table className="targets">
      <caption className="hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col" className="col-target">
            Target
          </th>
          <th scope="col">Role</th>
          {hasSlots && (
            <th scope="col" className="wide">
              Slots
            </th>
          )}
          <th scope="col" className="wide">
            Version
          </th>
          <th scope="col">Health</th>
          <th scope="col">Read by</th>
          <th scope="col">Captured by</th>
          <th scope="col" className="wide">
            Last seen
          </th>
        </tr>
      </thead>
      {shards.map((shard) => (
        <tbody key={shard[0]?.id}>
          {shard.map((target, place) => (
            <TargetRow
              key={target.id}
              target={target}
              sessionId={sessionId}
              hasSlots={hasSlots}
              isFollower={place > 0 && target.role === 'replica'}
            />
          ))}
        </tbody>
      ))}
    </table>
  </div>
)

interface TargetRowProps {
  target: Target
  sessionId: string
  hasSlots: boolean
  /** A replica under its primary. */
  isFollower: boolean
}

const TargetRow = ({ target, sessionId, hasSlots, isFollower }: TargetRowProps) => (
  <tr>
    <th scope="row" className="col-target" title={addressOf(target)}>
      {isFollower && (
        <span aria-hidden="true" className="quiet">
          └{' '}
        </span>
      )}
      <code>{addressOf(target)}</code> {target.kind === 'synthetic' && <SyntheticTag />}
    </th>
    <td>{target.role}</td>
    {hasSlots && (
      <td className="slots wide" title={slotWords(target.slots)}>
        {slotWords(target.slots) || <span className="quiet">none</span>}
      </td>
    )}
    <td className="wide">
      {target.serverVersion === null ? <span className="quiet">not told</span> : inert(target.serverVersion)}
    </td>
    <td>
      <Mark tone={HEALTH_TONE[target.health]} text={target.health} />
    </td>
    <td>
      <Readers nodeIds={target.nodeIds} sessionId={sessionId} />
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
    <td className="wide">
      <Ago at={target.lastSeenAt} />
    </td>
  </tr>
)

/** The nodes that reach a target; each opens in the fleet. */
const Readers = ({ nodeIds, sessionId }: { nodeIds: readonly string[]; sessionId: string }) => {
  if (nodeIds.length === 0) return <Mark tone="warn" text="no node" />
  return (
    <span title={inert(nodeIds.join('\n'))}>
      {nodeIds.slice(0, 2).map((node) => (
        <Link key={node} to="/sessions/$sessionId/fleet" params={{ sessionId }} search={{ node }} className="spaced">
          {inert(shortId(node))}
        </Link>
      ))}
      {nodeIds.length > 2 && <span className="quiet">and {nodeIds.length - 2} more</span>}
    </span>
  )
}
