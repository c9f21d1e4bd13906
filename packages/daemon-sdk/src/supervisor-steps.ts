import type { Refusal, Step, SupervisorAction, SupervisorState } from './supervisor-types.ts'

export type Proving = Extract<SupervisorState, { name: 'proving' }>
export type Attaching = Extract<SupervisorState, { name: 'attaching' }>
export type Declaring = Extract<SupervisorState, { name: 'declaring' }>
export type Running = Extract<SupervisorState, { name: 'running' }>

export const stay = (state: SupervisorState): Step => ({ state, actions: [] })

export const prove = (from: Omit<Proving, 'name' | 'wait'>, before: SupervisorAction[]): Step => ({
  state: { name: 'proving', wait: 'none', ...from },
  actions: [...before, { kind: 'prove' }],
})

export const proveLater = (from: Omit<Proving, 'name' | 'wait'>, before: SupervisorAction[]): Step => {
  const attachment = from.attachment && { ...from.attachment, proving: false }
  return {
    state: { ...from, name: 'proving', wait: 'backoff', attachment, attempt: from.attempt + 1 },
    actions: [...before, { kind: 'scheduleRetry', pace: 'backoff', attempt: from.attempt }],
  }
}

/** The credential has ended: at once, unless another one was of no use just before. */
export const expired = (from: Omit<Proving, 'name' | 'wait'>, before: SupervisorAction[]): Step => {
  // Asked for already: its answer counts.
  if (from.attachment?.proving) return { state: { ...from, name: 'proving', wait: 'none' }, actions: before }
  if (from.attempt > 0) return proveLater(from, before)
  return prove({ ...from, attempt: 1 }, before)
}

export const revoked = (refusal: Refusal, before: SupervisorAction[]): Step => ({
  state: { name: 'revoked' },
  actions: [...before, { kind: 'tellRevoked', refusal }],
})

export const attach = (from: Pick<Attaching, 'attempt' | 'previousEpoch'>, before: SupervisorAction[]): Step => ({
  state: { name: 'attaching', wait: 'none', ...from },
  actions: [...before, { kind: 'attach' }],
})

export const fenced = (epoch: number): Step => ({
  state: { name: 'fenced' },
  actions: [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }, { kind: 'tellFenced', epoch }],
})

export const stopped = (epoch: number): Step => ({
  state: { name: 'stopped' },
  actions: [{ kind: 'cancelTimers' }, { kind: 'closeCommands' }, { kind: 'detach', epoch }],
})
