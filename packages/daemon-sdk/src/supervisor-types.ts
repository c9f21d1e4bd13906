import type { ErrorCode } from '@sonde/contracts'

/**
 * The life of one daemon process in its session, as a pure machine. `transition` is total: a pair that is not drawn here
 * changes nothing.
 *
 * | state | what it waits for |
 * |---|---|
 * | idle | `start`, or `resume` with the slot that an earlier lane of this process held |
 * | proving | a credential for the key of the node, or the wait before it is asked for again; with a slot where it had one |
 * | attaching | the answer to an attach, or the wait before the next one |
 * | declaring | the declaration, then the report of online; beats already |
 * | running | beats; undeclared while it is read-only |
 * | fenced | nothing: a newer incarnation took over |
 * | revoked | nothing: the control plane refused this node for good |
 * | stopped | nothing: told to stop |
 */
export type SupervisorState =
  | { name: 'idle' }
  | {
      name: 'proving'
      attempt: number
      wait: 'none' | 'backoff'
      attachment: Attachment | undefined
      previousEpoch: number | undefined
    }
  | { name: 'attaching'; attempt: number; wait: Wait; previousEpoch: number | undefined }
  | { name: 'declaring'; attempt: number; wait: Wait; attachment: Attachment }
  | { name: 'running'; declared: boolean; attachment: Attachment }
  | { name: 'fenced' }
  | { name: 'revoked' }
  | { name: 'stopped' }

export type StateName = SupervisorState['name']

/** What the machine is waiting for before it calls again; `slow` is not cut short by a new connection. */
export type Wait = 'none' | 'backoff' | 'slow'

/** What is known of the slot that this process holds. */
export interface Attachment {
  epoch: number
  readOnly: boolean
  /** The period last told by the control plane, in milliseconds. */
  heartbeatMs: number
  /** A beat is on its way; a second one is skipped, not queued. */
  beating: boolean
  /** The key is being proved although the credential is still good. */
  proving: boolean
}

/** What an answer of the control plane says about the slot. */
export interface Verdict {
  epoch: number
  readOnly: boolean
  nextHeartbeatMs: number
}

/** Why the control plane refused, for whoever is told. */
export interface Refusal {
  code: ErrorCode
  message: string
}

/** Events of a call carry the epoch it was made in, so that a late answer of an earlier incarnation changes nothing. */
export type SupervisorEvent =
  /** `proves`: there is no token yet, and one is given for the key of the node. */
  | { kind: 'start'; previousEpoch: number | undefined; proves: boolean }
  /** To go on in a slot rather than attach: an attach would displace a newer incarnation that came meanwhile. */
  | ({ kind: 'resume' } & Verdict)
  | ({ kind: 'attached' } & Verdict)
  | { kind: 'proved' }
  | { kind: 'proveFailed'; failure: 'transport' }
  | { kind: 'proveFailed'; failure: 'refused'; refusal: Refusal }
  /** The credential should have been renewed by now. */
  | { kind: 'credentialDue' }
  /** `expired`, here and below: of a node that can prove its key, the credential has ended. */
  | { kind: 'attachFailed'; failure: 'transport' | 'conflict' | 'expired' }
  | { kind: 'attachFailed'; failure: 'refused'; refusal: Refusal }
  | { kind: 'declared'; epoch: number }
  | { kind: 'onlineReported'; epoch: number }
  | { kind: 'declareFailed'; failure: 'transport' | 'readOnly' | 'fenced' | 'refused' | 'expired'; epoch: number }
  | { kind: 'beatDue' }
  | ({ kind: 'beat' } & Verdict)
  | { kind: 'beatFailed'; failure: 'transport' | 'fenced' | 'refused' | 'expired'; epoch: number }
  | { kind: 'retryDue' }
  | { kind: 'laneOpened' }
  | { kind: 'stop' }

/** What the thin shell does. `cancelTimers` ends both the beat and the retry timer. */
export type SupervisorAction =
  | { kind: 'prove' }
  | { kind: 'attach' }
  | { kind: 'declare'; epoch: number }
  | { kind: 'reportOnline'; epoch: number }
  | { kind: 'beat'; epoch: number; timeoutMs: number }
  | { kind: 'scheduleBeat'; heartbeatMs: number }
  | { kind: 'scheduleRetry'; pace: 'backoff' | 'slow'; attempt: number }
  | { kind: 'cancelRetry' }
  | { kind: 'cancelTimers' }
  | { kind: 'openCommands'; epoch: number }
  | { kind: 'closeCommands' }
  | { kind: 'detach'; epoch: number }
  | { kind: 'tellAttached'; epoch: number; previousEpoch: number | undefined; readOnly: boolean }
  | { kind: 'tellOnline'; epoch: number }
  | { kind: 'tellReadOnly'; readOnly: boolean }
  | { kind: 'tellFenced'; epoch: number }
  | { kind: 'tellRevoked'; refusal: Refusal }

export interface Step {
  state: SupervisorState
  actions: SupervisorAction[]
}
