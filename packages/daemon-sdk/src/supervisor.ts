import type { ErrorCode } from '@sonde/contracts'

/**
 * The life of one daemon process in its session, as a pure machine. `transition` is total: a pair that is not drawn here
 * changes nothing.
 *
 * | state | what it waits for |
 * |---|---|
 * | idle | `start` |
 * | attaching | the answer to an attach, or the wait before the next one |
 * | declaring | the declaration, then the report of online; beats already |
 * | running | beats; undeclared while it is read-only |
 * | fenced | nothing: a newer incarnation took over |
 * | revoked | nothing: the control plane refused this node for good |
 * | stopped | nothing: told to stop |
 */
export type SupervisorState =
  | { name: 'idle' }
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
  | { kind: 'start' }
  | ({ kind: 'attached' } & Verdict)
  | { kind: 'attachFailed'; failure: 'transport' | 'conflict' }
  | { kind: 'attachFailed'; failure: 'refused'; refusal: Refusal }
  | { kind: 'declared'; epoch: number }
  | { kind: 'onlineReported'; epoch: number }
  | { kind: 'declareFailed'; failure: 'transport' | 'readOnly' | 'fenced' | 'refused'; epoch: number }
  | { kind: 'beatDue' }
  | ({ kind: 'beat' } & Verdict)
  | { kind: 'beatFailed'; failure: 'transport' | 'fenced' | 'refused'; epoch: number }
  | { kind: 'retryDue' }
  | { kind: 'laneOpened' }
  | { kind: 'stop' }

/** What the thin shell does. `cancelTimers` ends both the beat and the retry timer. */
export type SupervisorAction =
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

export const INITIAL_STATE: SupervisorState = { name: 'idle' }

/** A beat must have failed before the next one is due, and nobody waits longer than this for one, in milliseconds. */
const BEAT_TIMEOUT_MS = 10_000

const stay = (state: SupervisorState): Step => ({ state, actions: [] })

/** The next state and what to do on the way. Never throws. */
export const transition = (state: SupervisorState, event: SupervisorEvent): Step => {
  switch (state.name) {
    case 'idle':
      if (event.kind === 'start') return attach({ attempt: 0, previousEpoch: undefined }, [])
      return event.kind === 'stop' ? stay({ name: 'stopped' }) : stay(state)
    case 'attaching':
      return fromAttaching(state, event)
    case 'declaring':
      return fromDeclaring(state, event)
    case 'running':
      return fromRunning(state, event)
    case 'fenced':
    case 'revoked':
      return event.kind === 'stop' ? stay({ name: 'stopped' }) : stay(state)
    case 'stopped':
      // The answer to an attach that was under way when the stop came: the slot must not be left behind.
      return event.kind === 'attached' ? { state, actions: [{ kind: 'detach', epoch: event.epoch }] } : stay(state)
  }
}

type Attaching = Extract<SupervisorState, { name: 'attaching' }>
type Declaring = Extract<SupervisorState, { name: 'declaring' }>
type Running = Extract<SupervisorState, { name: 'running' }>

const attach = (from: Pick<Attaching, 'attempt' | 'previousEpoch'>, before: SupervisorAction[]): Step => ({
  state: { name: 'attaching', wait: 'none', ...from },
  actions: [...before, { kind: 'attach' }],
})

const fromAttaching = (state: Attaching, event: SupervisorEvent): Step => {
  switch (event.kind) {
    case 'attached':
      return attached(state, event)
    case 'attachFailed': {
      if (event.failure === 'refused') {
        return { state: { name: 'revoked' }, actions: [{ kind: 'tellRevoked', refusal: event.refusal }] }
      }
      const pace = event.failure === 'conflict' ? 'slow' : 'backoff'
      return {
        state: { ...state, attempt: state.attempt + 1, wait: pace },
        actions: [{ kind: 'scheduleRetry', pace, attempt: state.attempt }],
      }
    }
    case 'retryDue':
      return state.wait === 'none' ? stay(state) : attach(state, [])
    case 'laneOpened':
      return state.wait === 'backoff' ? attach(state, [{ kind: 'cancelRetry' }]) : stay(state)
    case 'stop':
      return { state: { name: 'stopped' }, actions: [{ kind: 'cancelTimers' }] }
    case 'start':
    case 'declared':
    case 'onlineReported':
    case 'declareFailed':
    case 'beatDue':
    case 'beat':
    case 'beatFailed':
      return stay(state)
  }
}

const attached = ({ attempt, previousEpoch }: Attaching, verdict: Verdict): Step => {
  const { epoch, readOnly, nextHeartbeatMs } = verdict
  const attachment: Attachment = { epoch, readOnly, heartbeatMs: nextHeartbeatMs, beating: false }
  const actions: SupervisorAction[] = [
    { kind: 'tellAttached', epoch, previousEpoch, readOnly },
    // From now on, not from the declaration on: a slow declaration must not look like a dead daemon.
    { kind: 'scheduleBeat', heartbeatMs: nextHeartbeatMs },
  ]
  if (readOnly) return { state: { name: 'running', declared: false, attachment }, actions }
  return {
    // The attempts go on counting until it runs, so that attach and refusal in turn slow down too.
    state: { name: 'declaring', attempt, wait: 'none', attachment },
    actions: [...actions, { kind: 'declare', epoch }],
  }
}

const fromDeclaring = (state: Declaring, event: SupervisorEvent): Step => {
  const { attachment, attempt } = state
  const { epoch } = attachment
  switch (event.kind) {
    case 'declared':
      return event.epoch === epoch ? { state, actions: [{ kind: 'reportOnline', epoch }] } : stay(state)
    case 'onlineReported':
      if (event.epoch !== epoch) return stay(state)
      return {
        state: { name: 'running', declared: true, attachment },
        actions: [
          { kind: 'openCommands', epoch },
          { kind: 'tellOnline', epoch },
        ],
      }
    case 'declareFailed':
      return event.epoch === epoch ? declareFailed(state, event.failure) : stay(state)
    case 'retryDue':
      if (state.wait === 'none') return stay(state)
      return { state: { ...state, wait: 'none' }, actions: [{ kind: 'declare', epoch }] }
    case 'laneOpened':
      if (state.wait === 'none') return beatNow(state, [])
      return beatNow({ ...state, wait: 'none' }, [{ kind: 'cancelRetry' }, { kind: 'declare', epoch }])
    case 'beatDue':
      return beatDue(state)
    case 'beat': {
      if (event.epoch !== epoch) return stay(state)
      const { attachment: next, actions } = heard(attachment, event)
      return { state: { name: 'declaring', attempt, wait: state.wait, attachment: next }, actions }
    }
    case 'beatFailed':
      return event.epoch === epoch ? beatFailed(state, event.failure) : stay(state)
    case 'stop':
      return stopped(epoch)
    case 'start':
    case 'attached':
    case 'attachFailed':
      return stay(state)
  }
}

const declareFailed = (
  state: Declaring,
  failure: Extract<SupervisorEvent, { kind: 'declareFailed' }>['failure'],
): Step => {
  const { attachment, attempt } = state
  switch (failure) {
    case 'transport':
      return {
        state: { ...state, attempt: attempt + 1, wait: 'backoff' },
        actions: [{ kind: 'scheduleRetry', pace: 'backoff', attempt }],
      }
    case 'readOnly':
      return {
        state: { name: 'running', declared: false, attachment: { ...attachment, readOnly: true } },
        actions: attachment.readOnly ? [] : [{ kind: 'tellReadOnly', readOnly: true }],
      }
    case 'fenced':
      return fenced(attachment.epoch)
    case 'refused':
      return {
        state: { name: 'attaching', attempt: attempt + 1, wait: 'backoff', previousEpoch: attachment.epoch },
        actions: [{ kind: 'cancelTimers' }, { kind: 'scheduleRetry', pace: 'backoff', attempt }],
      }
  }
}

const fromRunning = (state: Running, event: SupervisorEvent): Step => {
  const { attachment, declared } = state
  const { epoch } = attachment
  switch (event.kind) {
    case 'beatDue':
      return beatDue(state)
    case 'laneOpened':
      return beatNow(state, [])
    case 'beat': {
      if (event.epoch !== epoch) return stay(state)
      const { attachment: next, actions } = heard(attachment, event)
      if (declared || next.readOnly) return { state: { name: 'running', declared, attachment: next }, actions }
      return {
        state: { name: 'declaring', attempt: 0, wait: 'none', attachment: next },
        actions: [...actions, { kind: 'declare', epoch }],
      }
    }
    case 'beatFailed':
      return event.epoch === epoch ? beatFailed(state, event.failure) : stay(state)
    case 'stop':
      return stopped(epoch)
    case 'start':
    case 'attached':
    case 'attachFailed':
    case 'declared':
    case 'onlineReported':
    case 'declareFailed':
    case 'retryDue':
      return stay(state)
  }
}

const heard = (before: Attachment, verdict: Verdict): { attachment: Attachment; actions: SupervisorAction[] } => {
  const { readOnly, nextHeartbeatMs } = verdict
  const actions: SupervisorAction[] = []
  if (nextHeartbeatMs !== before.heartbeatMs) actions.push({ kind: 'scheduleBeat', heartbeatMs: nextHeartbeatMs })
  if (readOnly !== before.readOnly) actions.push({ kind: 'tellReadOnly', readOnly })
  return { attachment: { ...before, readOnly, heartbeatMs: nextHeartbeatMs, beating: false }, actions }
}

const beatNow = <S extends Declaring | Running>(state: S, before: SupervisorAction[]): Step => {
  const { epoch, heartbeatMs, beating } = state.attachment
  if (beating) return { state, actions: before }
  const timeoutMs = Math.min(BEAT_TIMEOUT_MS, 0.8 * heartbeatMs)
  return {
    state: { ...state, attachment: { ...state.attachment, beating: true } },
    actions: [...before, { kind: 'beat', epoch, timeoutMs }],
  }
}

const beatDue = (state: Declaring | Running): Step =>
  beatNow(state, [{ kind: 'scheduleBeat', heartbeatMs: state.attachment.heartbeatMs }])

const beatFailed = (state: Declaring | Running, failure: 'transport' | 'fenced' | 'refused'): Step => {
  const { attachment } = state
  switch (failure) {
    case 'transport':
      return stay({ ...state, attachment: { ...attachment, beating: false } })
    case 'fenced':
      return fenced(attachment.epoch)
    case 'refused': {
      // No slot any more, for whatever reason. Attaching tells: a new slot, or a refusal that is for good.
      const attempt = state.name === 'declaring' ? state.attempt : 0
      return attach({ attempt, previousEpoch: attachment.epoch }, [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }])
    }
  }
}

const fenced = (epoch: number): Step => ({
  state: { name: 'fenced' },
  actions: [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }, { kind: 'tellFenced', epoch }],
})

const stopped = (epoch: number): Step => ({
  state: { name: 'stopped' },
  actions: [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }, { kind: 'detach', epoch }],
})
