import type { AttachmentState } from '@sonde/contracts'

/** `none` is a node that was never attached to the session. */
export type SlotState = AttachmentState | 'none'

/**
 * What may happen to a slot. A `replay` is an attach by the incarnation that holds it already. The two reports of health
 * online differ in whether an earlier call of this incarnation declared its capabilities (I-003-2). `reap` is the end of a
 * slot whose node was silent for hours.
 */
export type SlotEvent =
  | 'attach'
  | 'replay'
  | 'report_degraded'
  | 'report_online_declared'
  | 'report_online_undeclared'
  | 'detach'
  | 'revoke'
  | 'reap'

/** `stay` answers the current state and writes no new one. */
export type SlotOutcome =
  | { kind: 'to'; state: AttachmentState }
  | { kind: 'stay' }
  | { kind: 'refused'; reason: 'revoked' | 'not_active' | 'not_declared' }

const to = (state: AttachmentState): SlotOutcome => ({ kind: 'to', state })
const refused = (reason: 'revoked' | 'not_active' | 'not_declared'): SlotOutcome => ({ kind: 'refused', reason })
const STAY: SlotOutcome = { kind: 'stay' }

/**
 * | from        | attach      | replay  | report degraded | report online         | detach  | revoke  | reap    |
 * | none        | registering | same    | refused         | refused               | stays   | stays   | stays   |
 * | registering | registering | stays   | degraded        | online, once declared | offline | revoked | offline |
 * | online      | registering | stays   | degraded        | stays, once declared  | offline | revoked | offline |
 * | degraded    | registering | stays   | stays           | online, once declared | offline | revoked | offline |
 * | offline     | registering | same    | refused         | refused               | stays   | revoked | stays   |
 * | revoked     | refused     | refused | refused         | refused               | stays   | stays   | stays   |
 *
 * "same" is as attach: an incarnation that holds no active slot has nothing to replay. Staleness never moves a slot.
 */
const TRANSITIONS: Record<SlotState, Record<SlotEvent, SlotOutcome>> = {
  none: {
    attach: to('registering'),
    replay: to('registering'),
    report_degraded: refused('not_active'),
    report_online_declared: refused('not_active'),
    report_online_undeclared: refused('not_active'),
    detach: STAY,
    revoke: STAY,
    reap: STAY,
  },
  registering: {
    attach: to('registering'),
    replay: STAY,
    report_degraded: to('degraded'),
    report_online_declared: to('online'),
    report_online_undeclared: refused('not_declared'),
    detach: to('offline'),
    revoke: to('revoked'),
    reap: to('offline'),
  },
  online: {
    attach: to('registering'),
    replay: STAY,
    report_degraded: to('degraded'),
    report_online_declared: STAY,
    report_online_undeclared: refused('not_declared'),
    detach: to('offline'),
    revoke: to('revoked'),
    reap: to('offline'),
  },
  degraded: {
    attach: to('registering'),
    replay: STAY,
    report_degraded: STAY,
    report_online_declared: to('online'),
    report_online_undeclared: refused('not_declared'),
    detach: to('offline'),
    revoke: to('revoked'),
    reap: to('offline'),
  },
  offline: {
    attach: to('registering'),
    replay: to('registering'),
    report_degraded: refused('not_active'),
    report_online_declared: refused('not_active'),
    report_online_undeclared: refused('not_active'),
    detach: STAY,
    revoke: to('revoked'),
    reap: STAY,
  },
  revoked: {
    attach: refused('revoked'),
    replay: refused('revoked'),
    report_degraded: refused('not_active'),
    report_online_declared: refused('not_active'),
    report_online_undeclared: refused('not_active'),
    detach: STAY,
    revoke: STAY,
    reap: STAY,
  },
}

/** The one place where a slot's next state is decided. */
export const slotTransition = (from: SlotState, event: SlotEvent): SlotOutcome => TRANSITIONS[from][event]
