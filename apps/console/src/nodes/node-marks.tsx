import type { RosterNode } from '@sonde/contracts'
import { Mark } from '../ui/mark.tsx'
import { formatInstant } from '../ui/units.ts'
import { BLOCKER_WORDS, LIVENESS_TONE, STATE_TONE } from './node-words.ts'

/** The state of the node's slot in the session. */
export const StateMark = ({ node: { state, endedAt } }: { node: RosterNode }) => (
  <Mark
    tone={STATE_TONE[state]}
    text={state}
    title={endedAt === null ? undefined : `Ended ${formatInstant(endedAt)}`}
  />
)

/** What its last beat says, now. */
export const LivenessMark = ({ node: { liveness, livenessHeld, healthState } }: { node: RosterNode }) => {
  if (liveness !== null) {
    const title = `From its last beat. Last announced: ${healthState ?? 'nothing yet'}`
    return <Mark tone={LIVENESS_TONE[liveness]} text={liveness} title={title} />
  }
  return livenessHeld ? (
    <Mark tone="warn" text="held back" title="It is silent, as many others are too, so no verdict is given" />
  ) : (
    <Mark tone="off" text="unknown" />
  )
}

/** Whether it is given new work, else why not. */
export const WorkMark = ({ node: { blockers } }: { node: RosterNode }) => {
  if (blockers.length === 0) return <Mark tone="good" text="ready" />
  const words = blockers.map((blocker) => BLOCKER_WORDS[blocker]).join(', ')
  return <Mark tone="warn" text={words} title={words} />
}
