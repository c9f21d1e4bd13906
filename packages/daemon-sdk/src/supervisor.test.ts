import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  INITIAL_STATE,
  transition,
  type Attachment,
  type StateName,
  type SupervisorAction,
  type SupervisorEvent,
  type SupervisorState,
} from './supervisor.ts'

const attachment: Attachment = { epoch: 3, readOnly: false, heartbeatMs: 1000, beating: false }
const refusal = { code: 'runtimenode.attach_revoked', message: 'The node was revoked.' } as const

/** One representative of each state: waiting where it can wait, so that the most events mean something. */
const STATES: Record<StateName, SupervisorState> = {
  idle: { name: 'idle' },
  attaching: { name: 'attaching', attempt: 2, wait: 'backoff', previousEpoch: 1 },
  declaring: { name: 'declaring', attempt: 2, wait: 'backoff', attachment },
  running: { name: 'running', declared: true, attachment },
  fenced: { name: 'fenced' },
  revoked: { name: 'revoked' },
  stopped: { name: 'stopped' },
}

const verdict = { epoch: 3, readOnly: false, nextHeartbeatMs: 1000 }
const EVENTS = {
  start: { kind: 'start' },
  attached: { kind: 'attached', ...verdict },
  'attached read-only': { kind: 'attached', ...verdict, readOnly: true },
  'attach failed: transport': { kind: 'attachFailed', failure: 'transport' },
  'attach failed: conflict': { kind: 'attachFailed', failure: 'conflict' },
  'attach failed: refused': { kind: 'attachFailed', failure: 'refused', refusal },
  declared: { kind: 'declared', epoch: 3 },
  'online reported': { kind: 'onlineReported', epoch: 3 },
  'declare failed: transport': { kind: 'declareFailed', failure: 'transport', epoch: 3 },
  'declare failed: read-only': { kind: 'declareFailed', failure: 'readOnly', epoch: 3 },
  'declare failed: fenced': { kind: 'declareFailed', failure: 'fenced', epoch: 3 },
  'declare failed: refused': { kind: 'declareFailed', failure: 'refused', epoch: 3 },
  'beat due': { kind: 'beatDue' },
  beat: { kind: 'beat', ...verdict },
  'beat read-only': { kind: 'beat', ...verdict, readOnly: true },
  'beat with another period': { kind: 'beat', ...verdict, nextHeartbeatMs: 500 },
  'beat failed: transport': { kind: 'beatFailed', failure: 'transport', epoch: 3 },
  'beat failed: fenced': { kind: 'beatFailed', failure: 'fenced', epoch: 3 },
  'beat failed: refused': { kind: 'beatFailed', failure: 'refused', epoch: 3 },
  'retry due': { kind: 'retryDue' },
  'lane opened': { kind: 'laneOpened' },
  stop: { kind: 'stop' },
} as const satisfies Record<string, SupervisorEvent>
type EventName = keyof typeof EVENTS

/** State, then the kinds of the actions, in order; `null` changes nothing and does nothing. */
type Expected = readonly [StateName, ...SupervisorAction['kind'][]] | null
const TABLE: Record<StateName, Record<EventName, Expected>> = {
  idle: {
    start: ['attaching', 'attach'],
    attached: null,
    'attached read-only': null,
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': null,
    beat: null,
    'beat read-only': null,
    'beat with another period': null,
    'beat failed: transport': null,
    'beat failed: fenced': null,
    'beat failed: refused': null,
    'retry due': null,
    'lane opened': null,
    stop: ['stopped'],
  },
  attaching: {
    start: null,
    attached: ['declaring', 'tellAttached', 'scheduleBeat', 'declare'],
    'attached read-only': ['running', 'tellAttached', 'scheduleBeat'],
    'attach failed: transport': ['attaching', 'scheduleRetry'],
    'attach failed: conflict': ['attaching', 'scheduleRetry'],
    'attach failed: refused': ['revoked', 'tellRevoked'],
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': null,
    beat: null,
    'beat read-only': null,
    'beat with another period': null,
    'beat failed: transport': null,
    'beat failed: fenced': null,
    'beat failed: refused': null,
    'retry due': ['attaching', 'attach'],
    'lane opened': ['attaching', 'cancelRetry', 'attach'],
    stop: ['stopped', 'cancelTimers'],
  },
  declaring: {
    start: null,
    attached: null,
    'attached read-only': null,
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: ['declaring', 'reportOnline'],
    'online reported': ['running', 'openCommands', 'tellOnline'],
    'declare failed: transport': ['declaring', 'scheduleRetry'],
    'declare failed: read-only': ['running', 'tellReadOnly'],
    'declare failed: fenced': ['fenced', 'cancelTimers', 'closeCommands', 'tellFenced'],
    'declare failed: refused': ['attaching', 'cancelTimers', 'scheduleRetry'],
    'beat due': ['declaring', 'scheduleBeat', 'beat'],
    beat: null,
    'beat read-only': ['declaring', 'tellReadOnly'],
    'beat with another period': ['declaring', 'scheduleBeat'],
    'beat failed: transport': null,
    'beat failed: fenced': ['fenced', 'cancelTimers', 'closeCommands', 'tellFenced'],
    'beat failed: refused': ['attaching', 'cancelTimers', 'closeCommands', 'attach'],
    'retry due': ['declaring', 'declare'],
    'lane opened': ['declaring', 'cancelRetry', 'declare', 'beat'],
    stop: ['stopped', 'cancelTimers', 'closeCommands', 'detach'],
  },
  running: {
    start: null,
    attached: null,
    'attached read-only': null,
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': ['running', 'scheduleBeat', 'beat'],
    beat: null,
    'beat read-only': ['running', 'tellReadOnly'],
    'beat with another period': ['running', 'scheduleBeat'],
    'beat failed: transport': null,
    'beat failed: fenced': ['fenced', 'cancelTimers', 'closeCommands', 'tellFenced'],
    'beat failed: refused': ['attaching', 'cancelTimers', 'closeCommands', 'attach'],
    'retry due': null,
    'lane opened': ['running', 'beat'],
    stop: ['stopped', 'cancelTimers', 'closeCommands', 'detach'],
  },
  fenced: {
    start: null,
    attached: null,
    'attached read-only': null,
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': null,
    beat: null,
    'beat read-only': null,
    'beat with another period': null,
    'beat failed: transport': null,
    'beat failed: fenced': null,
    'beat failed: refused': null,
    'retry due': null,
    'lane opened': null,
    stop: ['stopped'],
  },
  revoked: {
    start: null,
    attached: null,
    'attached read-only': null,
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': null,
    beat: null,
    'beat read-only': null,
    'beat with another period': null,
    'beat failed: transport': null,
    'beat failed: fenced': null,
    'beat failed: refused': null,
    'retry due': null,
    'lane opened': null,
    stop: ['stopped'],
  },
  stopped: {
    start: null,
    attached: ['stopped', 'detach'],
    'attached read-only': ['stopped', 'detach'],
    'attach failed: transport': null,
    'attach failed: conflict': null,
    'attach failed: refused': null,
    declared: null,
    'online reported': null,
    'declare failed: transport': null,
    'declare failed: read-only': null,
    'declare failed: fenced': null,
    'declare failed: refused': null,
    'beat due': null,
    beat: null,
    'beat read-only': null,
    'beat with another period': null,
    'beat failed: transport': null,
    'beat failed: fenced': null,
    'beat failed: refused': null,
    'retry due': null,
    'lane opened': null,
    stop: null,
  },
}

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

test('over any events: at most one beat and one attach are under way, and a final state is never left but by stop', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let state = INITIAL_STATE
      let attaching = false
      for (const event of events) {
        // Answers come only to calls that were made.
        if ((event.kind === 'attached' || event.kind === 'attachFailed') && !attaching) continue
        if (event.kind === 'attached' || event.kind === 'attachFailed') attaching = false
        const step = transition(state, event)
        const wasBeating = 'attachment' in state && state.attachment.beating
        for (const action of step.actions) {
          if (action.kind === 'attach') {
            expect(attaching).toBe(false)
            attaching = true
          }
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
