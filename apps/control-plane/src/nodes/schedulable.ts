import { Blocker, Scheduling, type AttachmentState, type Liveness } from '@sonde/contracts'

/** What decides whether a node may be given new work. */
export interface SchedulingFacts {
  state: AttachmentState
  liveness: Liveness | null
  readOnly: boolean
  /** Whether this incarnation has declared its capabilities. */
  declared: boolean
  /** Whether the owner has an active membership of a role that may attach. */
  ownerActive: boolean
  scheduling: Scheduling
}

/** Why a node may not be given new work, in a fixed order; none means that it is schedulable. */
export const blockersOf = (facts: SchedulingFacts): Blocker[] => {
  const found: [blocked: boolean, blocker: Blocker][] = [
    [facts.state !== 'online', Blocker.notOnline],
    [facts.liveness !== 'online', Blocker.stale],
    [facts.readOnly, Blocker.readOnly],
    [!facts.declared, Blocker.notDeclared],
    [!facts.ownerActive, Blocker.ownerInactive],
    [facts.scheduling !== Scheduling.open, Blocker.cordoned],
    [facts.scheduling === Scheduling.draining, Blocker.draining],
  ]
  return found.filter(([blocked]) => blocked).map(([, blocker]) => blocker)
}
