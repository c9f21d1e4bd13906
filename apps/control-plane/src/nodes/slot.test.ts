import { expect, test } from 'vitest'
import { slotTransition, type SlotEvent, type SlotState } from './slot.ts'

const EXPECTED: Record<SlotState, Record<SlotEvent, string>> = {
  none: {
    attach: 'registering',
    replay: 'registering',
    report_degraded: 'refused not_active',
    report_online_declared: 'refused not_active',
    report_online_undeclared: 'refused not_active',
    detach: 'stay',
    revoke: 'stay',
    reap: 'stay',
  },
  registering: {
    attach: 'registering',
    replay: 'stay',
    report_degraded: 'degraded',
    report_online_declared: 'online',
    report_online_undeclared: 'refused not_declared',
    detach: 'offline',
    revoke: 'revoked',
    reap: 'offline',
  },
  online: {
    attach: 'registering',
    replay: 'stay',
    report_degraded: 'degraded',
    report_online_declared: 'stay',
    report_online_undeclared: 'refused not_declared',
    detach: 'offline',
    revoke: 'revoked',
    reap: 'offline',
  },
  degraded: {
    attach: 'registering',
    replay: 'stay',
    report_degraded: 'stay',
    report_online_declared: 'online',
    report_online_undeclared: 'refused not_declared',
    detach: 'offline',
    revoke: 'revoked',
    reap: 'offline',
  },
  offline: {
    attach: 'registering',
    replay: 'registering',
    report_degraded: 'refused not_active',
    report_online_declared: 'refused not_active',
    report_online_undeclared: 'refused not_active',
    detach: 'stay',
    revoke: 'revoked',
    reap: 'stay',
  },
  revoked: {
    attach: 'refused revoked',
    replay: 'refused revoked',
    report_degraded: 'refused not_active',
    report_online_declared: 'refused not_active',
    report_online_undeclared: 'refused not_active',
    detach: 'stay',
    revoke: 'stay',
    reap: 'stay',
  },
}

const pairs = Object.entries(EXPECTED).flatMap(([from, row]) =>
  Object.entries(row).map(([event, expected]) => ({ from: from as SlotState, event: event as SlotEvent, expected })),
)

test.each(pairs)('a slot in $from answers $event with $expected', ({ from, event, expected }) => {
  const outcome = slotTransition(from, event)
  const shown =
    outcome.kind === 'to' ? outcome.state : outcome.kind === 'refused' ? `refused ${outcome.reason}` : outcome.kind
  expect(shown).toBe(expected)
})

test('no event leads out of revoked, and none but a declared report leads to online', () => {
  const led = pairs.map(({ from, event }) => ({ from, event, outcome: slotTransition(from, event) }))
  expect(led.filter(({ from, outcome }) => from === 'revoked' && outcome.kind === 'to')).toEqual([])
  const toOnline = led.filter(({ outcome }) => outcome.kind === 'to' && outcome.state === 'online')
  expect(new Set(toOnline.map(({ event }) => event))).toEqual(new Set(['report_online_declared']))
})
