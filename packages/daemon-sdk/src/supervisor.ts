import { attached, fromDeclaring, fromRunning, resumed } from './supervisor-slot.ts'
import {
  attach,
  expired,
  prove,
  proveLater,
  revoked,
  stay,
  stopped,
  type Attaching,
  type Proving,
} from './supervisor-steps.ts'
import type { Step, SupervisorEvent, SupervisorState } from './supervisor-types.ts'

export const INITIAL_STATE: SupervisorState = { name: 'idle' }

/** The next state and what to do on the way. Never throws. */
export const transition = (state: SupervisorState, event: SupervisorEvent): Step => {
  switch (state.name) {
    case 'idle':
      if (event.kind === 'start') return started(event)
      if (event.kind === 'resume') return resumed(event)
      return event.kind === 'stop' ? stay({ name: 'stopped' }) : stay(state)
    case 'proving':
      return fromProving(state, event)
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

const started = ({ previousEpoch, proves }: Extract<SupervisorEvent, { kind: 'start' }>): Step =>
  proves ? prove({ attempt: 0, attachment: undefined, previousEpoch }, []) : attach({ attempt: 0, previousEpoch }, [])

const fromProving = (state: Proving, event: SupervisorEvent): Step => {
  const { attempt, wait, attachment, previousEpoch } = state
  switch (event.kind) {
    case 'proved': {
      if (!attachment) return attach({ attempt, previousEpoch }, [])
      const { epoch, readOnly, heartbeatMs } = attachment
      return resumed({ epoch, readOnly, nextHeartbeatMs: heartbeatMs }, attempt)
    }
    case 'proveFailed':
      return event.failure === 'refused' ? revoked(event.refusal, []) : proveLater(state, [])
    case 'retryDue':
      return wait === 'none' ? stay(state) : prove({ attempt, attachment, previousEpoch }, [])
    case 'laneOpened':
      return wait === 'none' ? stay(state) : prove({ attempt, attachment, previousEpoch }, [{ kind: 'cancelRetry' }])
    case 'stop':
      return attachment
        ? stopped(attachment.epoch)
        : { state: { name: 'stopped' }, actions: [{ kind: 'cancelTimers' }] }
    case 'start':
    case 'resume':
    case 'attached':
    case 'attachFailed':
    case 'credentialDue':
    case 'declared':
    case 'onlineReported':
    case 'declareFailed':
    case 'beatDue':
    case 'beat':
    case 'beatFailed':
      return stay(state)
  }
}

const fromAttaching = (state: Attaching, event: SupervisorEvent): Step => {
  switch (event.kind) {
    case 'attached':
      return attached(state, event)
    case 'attachFailed': {
      if (event.failure === 'refused') return revoked(event.refusal, [])
      if (event.failure === 'expired') {
        return expired({ attempt: state.attempt, attachment: undefined, previousEpoch: state.previousEpoch }, [])
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
    case 'proved':
    case 'proveFailed':
    case 'credentialDue':
    case 'declared':
    case 'onlineReported':
    case 'declareFailed':
    case 'beatDue':
    case 'beat':
    case 'beatFailed':
      return stay(state)
  }
}
