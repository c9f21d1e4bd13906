import {
  attach,
  expired,
  fenced,
  revoked,
  stay,
  stopped,
  type Attaching,
  type Declaring,
  type Running,
} from './supervisor-steps.ts'
import type { Attachment, Step, SupervisorAction, SupervisorEvent, Verdict } from './supervisor-types.ts'

/** A beat must have failed before the next one is due, and nobody waits longer than this for one, in milliseconds. */
const BEAT_TIMEOUT_MS = 10_000

const attachmentOf = ({ epoch, readOnly, nextHeartbeatMs }: Verdict): Attachment => ({
  epoch,
  readOnly,
  heartbeatMs: nextHeartbeatMs,
  beating: false,
  proving: false,
})

/** The first beat tells whether the slot is still held; the declaration is repeated, which changes nothing. */
export const resumed = (verdict: Verdict, attempt = 0): Step => {
  const attachment = attachmentOf(verdict)
  const schedule: SupervisorAction = { kind: 'scheduleBeat', heartbeatMs: attachment.heartbeatMs }
  if (attachment.readOnly) return beatNow({ name: 'running', declared: false, attachment }, [schedule])
  return beatNow({ name: 'declaring', attempt, wait: 'none', attachment }, [
    schedule,
    { kind: 'declare', epoch: attachment.epoch },
  ])
}

export const attached = ({ attempt, previousEpoch }: Attaching, verdict: Verdict): Step => {
  const { epoch, readOnly, nextHeartbeatMs } = verdict
  const attachment = attachmentOf(verdict)
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

export const fromDeclaring = (state: Declaring, event: SupervisorEvent): Step => {
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
    case 'credentialDue':
    case 'proved':
    case 'proveFailed':
      return provedBesides(state, event)
    case 'stop':
      return stopped(epoch)
    case 'start':
    case 'resume':
    case 'attached':
    case 'attachFailed':
      return stay(state)
  }
}

/** While the credential is still good nothing waits for another one. */
const provedBesides = (
  state: Declaring | Running,
  event: Extract<SupervisorEvent, { kind: 'credentialDue' | 'proved' | 'proveFailed' }>,
): Step => {
  const { attachment } = state
  if (event.kind === 'credentialDue') {
    if (attachment.proving) return stay(state)
    return { state: { ...state, attachment: { ...attachment, proving: true } }, actions: [{ kind: 'prove' }] }
  }
  if (event.kind === 'proveFailed' && event.failure === 'refused') {
    return revoked(event.refusal, [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }])
  }
  return stay({ ...state, attachment: { ...attachment, proving: false } })
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
    case 'expired':
      return expired({ attempt, attachment, previousEpoch: attachment.epoch }, [{ kind: 'cancelTimers' }])
    case 'refused':
      return {
        state: { name: 'attaching', attempt: attempt + 1, wait: 'backoff', previousEpoch: attachment.epoch },
        actions: [{ kind: 'cancelTimers' }, { kind: 'scheduleRetry', pace: 'backoff', attempt }],
      }
  }
}

export const fromRunning = (state: Running, event: SupervisorEvent): Step => {
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
    case 'credentialDue':
    case 'proved':
    case 'proveFailed':
      return provedBesides(state, event)
    case 'stop':
      return stopped(epoch)
    case 'start':
    case 'resume':
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

const beatNow = (state: Declaring | Running, before: SupervisorAction[]): Step => {
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

const beatFailed = (
  state: Declaring | Running,
  failure: Extract<SupervisorEvent, { kind: 'beatFailed' }>['failure'],
): Step => {
  const { attachment } = state
  switch (failure) {
    case 'transport':
      return stay({ ...state, attachment: { ...attachment, beating: false } })
    case 'fenced':
      return fenced(attachment.epoch)
    case 'expired': {
      // The slot is held all the same, so it is gone on with in the same epoch.
      const attempt = state.name === 'declaring' ? state.attempt : 0
      return expired({ attempt, attachment, previousEpoch: attachment.epoch }, [{ kind: 'cancelTimers' }])
    }
    case 'refused': {
      // No slot any more, for whatever reason. Attaching tells: a new slot, or a refusal that is for good.
      const attempt = state.name === 'declaring' ? state.attempt : 0
      return attach({ attempt, previousEpoch: attachment.epoch }, [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }])
    }
  }
}
