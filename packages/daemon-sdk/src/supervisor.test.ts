import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attachment, EVENTS, STATES, TABLE, type EventName } from '../test/supervisor-table.ts'
import type { StateName, SupervisorAction, SupervisorEvent, SupervisorState } from './supervisor-types.ts'
import { INITIAL_STATE, transition } from './supervisor.ts'

const stateNames = Object.keys(TABLE) as StateName[]
const eventNames = Object.keys(EVENTS) as EventName[]

describe.each(stateNames)('in %s', (name) => {
  test.each(eventNames)('%s does what the table says', (event) => {
    const before = STATES[name]
    const { state, actions } = transition(before, EVENTS[event])
    const expected = TABLE[name][event]
    if (expected === null) {
      expect({ state, actions }).toEqual({ state: before, actions: [] })
      return
    }
    const [next, ...kinds] = expected
    expect(state.name).toBe(next)
    expect(actions.map((action) => action.kind)).toEqual(kinds)
  })
})

const run = (state: SupervisorState, ...events: SupervisorEvent[]) => {
  const actions: SupervisorAction[] = []
  for (const event of events) {
    const step = transition(state, event)
    state = step.state
    actions.push(...step.actions)
  }
  return { state, actions }
}

test('attempts go on counting while attach and declaration fail in turn, and start over once it has run', () => {
  const looping = run(
    { name: 'attaching', attempt: 0, wait: 'none', previousEpoch: undefined },
    { kind: 'attachFailed', failure: 'transport' },
    { kind: 'retryDue' },
    EVENTS.attached,
    EVENTS['declare failed: refused'],
    { kind: 'retryDue' },
    { kind: 'attachFailed', failure: 'transport' },
  )
  const attempts = looping.actions.flatMap((action) => (action.kind === 'scheduleRetry' ? [action.attempt] : []))
  expect(attempts).toEqual([0, 1, 2])
  const afterRunning = run(STATES.running, EVENTS['beat failed: refused'], EVENTS['attach failed: transport'])
  expect(afterRunning.actions.at(-1)).toEqual({ kind: 'scheduleRetry', pace: 'backoff', attempt: 0 })
})

test('a conflict is retried slowly, and a new connection does not hurry it', () => {
  const { state, actions } = run(INITIAL_STATE, EVENTS.start, EVENTS['attach failed: conflict'])
  expect(actions.at(-1)).toEqual({ kind: 'scheduleRetry', pace: 'slow', attempt: 0 })
  expect(transition(state, EVENTS['lane opened'])).toEqual({ state, actions: [] })
  expect(transition(state, EVENTS['retry due']).actions).toEqual([{ kind: 'attach' }])
})

test('a credential that has ended is replaced at once, in the same epoch; one that is of no use is waited for longer each time', () => {
  const away = run(STATES.running, EVENTS['beat failed: expired'], EVENTS.proved)
  expect(away.actions).toContainEqual({ kind: 'beat', epoch: 3, timeoutMs: 800 })
  expect(away.actions.some(({ kind }) => kind === 'attach' || kind === 'tellAttached')).toBe(false)
  const useless = run(
    STATES.running,
    ...[0, 1, 2].flatMap(() => [EVENTS['beat failed: expired'], EVENTS['retry due'], EVENTS.proved]),
  )
  const attempts = useless.actions.flatMap((action) => (action.kind === 'scheduleRetry' ? [action.attempt] : []))
  expect(attempts).toEqual([1, 2])
})

test('a proof besides is asked for once, disturbs nothing, and its answer counts when the credential ends meanwhile', () => {
  const { state, actions } = run(STATES.running, EVENTS['credential due'], EVENTS['credential due'])
  expect(actions).toEqual([{ kind: 'prove' }])
  expect(run(state, EVENTS['prove failed: transport'])).toEqual({ state: STATES.running, actions: [] })
  expect(run(state, EVENTS.proved)).toEqual({ state: STATES.running, actions: [] })
  const ended = run(state, EVENTS['beat failed: expired'])
  expect(ended.state.name).toBe('proving')
  expect(ended.actions).toEqual([{ kind: 'cancelTimers' }])
  expect(run(ended.state, EVENTS.proved).state.name).toBe('declaring')
})

test('an attach under way is not doubled by a new connection or a late timer', () => {
  const { state } = run(INITIAL_STATE, EVENTS.start)
  for (const event of [EVENTS['lane opened'], EVENTS['retry due'], EVENTS.start]) {
    expect(transition(state, event)).toEqual({ state, actions: [] })
  }
})

test('a beat that is due while one is on its way is skipped, and the next one is still scheduled', () => {
  const { actions } = run(STATES.running, EVENTS['beat due'], EVENTS['beat due'], EVENTS['lane opened'])
  expect(actions.map((action) => action.kind)).toEqual(['scheduleBeat', 'beat', 'scheduleBeat'])
  const again = run(STATES.running, EVENTS['beat due'], EVENTS['beat failed: transport'], EVENTS['beat due'])
  expect(again.actions.filter((action) => action.kind === 'beat')).toHaveLength(2)
})

test('a beat times out before the next one is due', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_600_000 }), (heartbeatMs) => {
      const { actions } = run({ ...STATES.running, attachment: { ...attachment, heartbeatMs } } as SupervisorState, {
        kind: 'beatDue',
      })
      const beat = actions.find((action) => action.kind === 'beat')
      expect(beat?.timeoutMs).toBeLessThan(0.9 * heartbeatMs)
    }),
  )
})

test('answers of an earlier epoch change nothing', () => {
  const late: SupervisorEvent[] = [
    { ...EVENTS['beat failed: fenced'], epoch: 2 },
    { ...EVENTS['beat failed: refused'], epoch: 2 },
    { ...EVENTS['beat read-only'], epoch: 2 },
    { ...EVENTS['declare failed: fenced'], epoch: 2 },
    { ...EVENTS['online reported'], epoch: 2 },
    { ...EVENTS.declared, epoch: 2 },
  ]
  for (const state of [STATES.declaring, STATES.running]) {
    for (const event of late) expect(transition(state, event)).toEqual({ state, actions: [] })
  }
})

test('a node that stops being read-only declares', () => {
  const readOnly = run(INITIAL_STATE, EVENTS.start, EVENTS['attached read-only'])
  expect(readOnly.state).toMatchObject({ name: 'running', declared: false })
  const { state, actions } = transition(readOnly.state, EVENTS.beat)
  expect(state.name).toBe('declaring')
  expect(actions.map((action) => action.kind)).toEqual(['tellReadOnly', 'declare'])
})

test('the epoch before is told with the new one', () => {
  const { actions } = run(STATES.running, EVENTS['beat failed: refused'], { ...EVENTS.attached, epoch: 4 })
  expect(actions).toContainEqual({ kind: 'tellAttached', epoch: 4, previousEpoch: 3, readOnly: false })
})

const anyEvent: fc.Arbitrary<SupervisorEvent> = fc
  .tuple(fc.constantFrom(...eventNames), fc.integer({ min: 2, max: 4 }))
  .map(([name, epoch]) => {
    const event: SupervisorEvent = EVENTS[name]
    return 'epoch' in event ? { ...event, epoch } : event
  })

test('over any events: at most one beat, one attach and one proof are under way, and a final state is never left but by stop', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let state = INITIAL_STATE
      let attaching = false
      for (const event of events) {
        // Answers come only to calls that were made.
        if ((event.kind === 'attached' || event.kind === 'attachFailed') && !attaching) continue
        if (event.kind === 'attached' || event.kind === 'attachFailed') attaching = false
        const step = transition(state, event)
        const slot = 'attachment' in state ? state.attachment : undefined
        const wasBeating = slot?.beating ?? false
        const wasProving = slot?.proving || (state.name === 'proving' && state.wait === 'none')
        for (const action of step.actions) {
          if (action.kind === 'attach') {
            expect(attaching).toBe(false)
            attaching = true
          }
          if (action.kind === 'prove') expect(wasProving).toBe(false)
          if (action.kind === 'beat') expect(wasBeating).toBe(false)
        }
        if (['fenced', 'revoked', 'stopped'].includes(state.name) && step.state.name !== state.name) {
          expect([event.kind, step.state.name]).toEqual(['stop', 'stopped'])
        }
        state = step.state
      }
    }),
  )
})
