import type { Transition } from '@sonde/contracts'
import { inert } from '../ui/inert.ts'
import { Ago } from '../ui/time.tsx'
import { AXIS_WORDS } from './node-words.ts'

/** What changed at a node, newest first, and by what. */
export const TransitionList = ({ transitions }: { transitions: readonly Transition[] }) => (
  <>
    <h3>Last transitions</h3>
    {transitions.length === 0 && <p className="quiet">None yet.</p>}
    <ol className="transitions">
      {transitions.map(({ at, axis, from, to, cause, reason }, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- several may have one time
        <li key={`${at} ${index}`}>
          <span className="transition-at">
            <Ago at={at} />
          </span>
          <span>
            <span className="quiet">{AXIS_WORDS[axis]}</span> {from === null ? '' : `${from} → `}
            <b>{to}</b> <span className="quiet">by {cause.replaceAll('_', ' ')}</span>
            {reason === null ? '' : `: ${inert(reason)}`}
          </span>
        </li>
      ))}
    </ol>
  </>
)
