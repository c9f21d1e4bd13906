import type {
  Attachment,
  Step,
  SupervisorAction,
  SupervisorEvent,
  SupervisorState,
  Verdict,
} from './supervisor-types.ts'

export const INITIAL_STATE: SupervisorState = { name: 'idle' }

/** A beat must have failed before the next one is due, and nobody waits longer than this for one, in milliseconds. */
const BEAT_TIMEOUT_MS = 10_000

const stay = (state: SupervisorState): Step => ({ state, actions: [] })

/** The next state and what to do on the way. Never throws. */
export const transition = (state: SupervisorState, event: SupervisorEvent): Step => {
  switch (state.name) {
    case 'idle':
      if (event.kind === 'start') return attach({ attempt: 0, previousEpoch: event.previousEpoch }, [])
      if (event.kind === 'resume') return resumed(event)
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
    case 'resume':
    case 'declared':
    case 'onlineReported':
    case 'declareFailed':
    case 'beatDue':
    case 'beat':
    case 'beatFailed':
      return stay(state)
  }
}

const attachmentOf = ({ epoch, readOnly, nextHeartbeatMs }: Verdict): Attachment => ({
  epoch,
  readOnly,
  heartbeatMs: nextHeartbeatMs,
  beating: false,
})

/** The first beat tells whether the slot is still held; the declaration is repeated, which changes nothing. */
const resumed = (verdict: Verdict): Step => {
  const attachment = attachmentOf(verdict)
  const schedule: SupervisorAction = { kind: 'scheduleBeat', heartbeatMs: attachment.heartbeatMs }
  if (attachment.readOnly) return beatNow({ name: 'running', declared: false, attachment }, [schedule])
  return beatNow({ name: 'declaring', attempt: 0, wait: 'none', attachment }, [
    schedule,
    { kind: 'declare', epoch: attachment.epoch },
  ])
}

const attached = ({ attempt, previousEpoch }: Attaching, verdict: Verdict): Step => {
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
    case 'resume':
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
