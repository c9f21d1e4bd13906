import type { NodeDetail, Target } from '@sonde/contracts'
import { Link } from '@tanstack/react-router'
import { addressOf, HEALTH_TONE } from '../targets/target-words.ts'
import { inert } from '../ui/inert.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { shortId } from '../ui/units.ts'
import { thenWords } from './node-change.ts'
import { LivenessMark, StateMark } from './node-marks.tsx'
import { BLOCKER_ADVICE, BLOCKER_WORDS, versionWords } from './node-words.ts'

interface NodeFactsProps {
  node: NodeDetail
  targets: readonly Target[]
  floor: string | null
  sessionId: string
}

/** What a node is, whether it is given new work and what would change that, and what it reads. */
export const NodeFacts = ({ node, targets, floor, sessionId }: NodeFactsProps) => (
  <>
    {node.blockers.length === 0 ? (
      <p>
        <Mark tone="good" text="It is given new work." />
      </p>
    ) : (
      <ul className="blockers">
        {node.blockers.map((blocker) => (
          <li key={blocker}>
            <Mark tone="warn" text={BLOCKER_WORDS[blocker]} /> <span className="quiet">{BLOCKER_ADVICE[blocker]}</span>
          </li>
        ))}
      </ul>
    )}
    {node.cloneAlarm && (
      <p className="notice notice-warn">
        Two daemons share this id, on {inert(node.cloneAlarm.hosts.join(' and '))}: seen <Ago at={node.cloneAlarm.at} />
        . Give one of them a state directory of its own.
      </p>
    )}
    <dl className="pairs">
      <dt>State</dt>
      <dd>
        <StateMark node={node} />
      </dd>
      <dt>Liveness</dt>
      <dd>
        <LivenessMark node={node} />
      </dd>
      <dt>Last beat</dt>
      <dd>
        <Ago at={node.lastHeartbeatAt} />
      </dd>
      <dt>Version</dt>
      <dd>
        {inert(node.clientVersion)} <span className="quiet">{versionWords(node, floor)}</span>
      </dd>
      <dt>Host</dt>
      <dd>{node.host === null ? <span className="quiet">not told</span> : inert(node.host)}</dd>
      <dt>Attached</dt>
      <dd>
        <Ago at={node.lastAttachedAt} /> <span className="quiet">epoch {node.epoch}</span>
      </dd>
      {node.drain && (
        <>
          <dt>Drains</dt>
          <dd>
            deadline <Ago at={node.drain.deadline} />; {thenWords(node.drain.onDeadline)}
          </dd>
        </>
      )}
      <dt>Node id</dt>
      <dd>
        <code>{inert(node.nodeId)}</code>
      </dd>
    </dl>
    <h3>Targets</h3>
    {targets.length === 0 ? (
      <p className="quiet">It reads no target.</p>
    ) : (
      <ul className="panel-targets">
        {targets.map((target) => (
          <li key={target.id}>
            <code>{addressOf(target)}</code> {target.kind === 'synthetic' && <SyntheticTag />}{' '}
            <span className="quiet">{target.role}</span>{' '}
            {target.health !== 'healthy' && <Mark tone={HEALTH_TONE[target.health]} text={target.health} />}
            {target.heldBy !== null && (
              <Link
                to="/sessions/$sessionId/captures/$captureId"
                params={{ sessionId, captureId: target.heldBy }}
                title={target.heldBy}
              >
                capture {shortId(target.heldBy)}
              </Link>
            )}
          </li>
        ))}
      </ul>
    )}
  </>
)
