import { Blocker, LIVENESS_DEFAULTS } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { floorVerdict, isReadOnly } from './floor.ts'
import { livenessHeld, livenessOf } from './liveness.ts'
import { blockersOf } from './schedulable.ts'

const FACTS = { ageMs: 0, deafMs: 0, reported: 'online', ended: false, held: false } as const

const RANK = { online: 0, degraded: 1, offline: 2 }

test.each([
  [0, 'online', 'online'],
  [29_900, 'online', 'online'],
  [30_000, 'online', 'online'],
  [30_100, 'online', 'degraded'],
  [60_000, 'online', 'degraded'],
  [60_100, 'online', 'offline'],
  [0, 'degraded', 'degraded'],
  [60_000, 'degraded', 'degraded'],
  [60_100, 'degraded', 'offline'],
] as const)('a beat of %i ms ago that said %s reads as %s', (ageMs, reported, expected) => {
  expect(livenessOf({ ...FACTS, ageMs, reported }, LIVENESS_DEFAULTS)).toBe(expected)
})

test('an attachment that never beat is unknown, and an ended one is offline whatever its age', () => {
  expect(livenessOf({ ...FACTS, ageMs: null, reported: null }, LIVENESS_DEFAULTS)).toBeNull()
  expect(livenessOf({ ...FACTS, ageMs: 0, ended: true }, LIVENESS_DEFAULTS)).toBe('offline')
})

test('a verdict that is withheld is unknown, and only where it would be offline', () => {
  const held = (ageMs: number, ended = false) => {
    const facts = { ...FACTS, ageMs, ended, held: true }
    return [livenessOf(facts, LIVENESS_DEFAULTS), livenessHeld(facts, LIVENESS_DEFAULTS)]
  }
  expect(held(60_000)).toEqual(['degraded', false])
  expect(held(60_100)).toEqual([null, true])
  expect(held(60_100, true)).toEqual(['offline', false])
})

test('while nobody sweeps no beat is old, from the same limit on as for the sweep', () => {
  const read = (deafMs: number | null) => livenessOf({ ...FACTS, ageMs: 500_000, deafMs }, LIVENESS_DEFAULTS)
  expect([read(null), read(0), read(30_000), read(30_001)]).toEqual(['offline', 'offline', 'offline', 'online'])
})

test('liveness never gets better with age and never beats the report', () => {
  const age = fc.double({ min: 0, max: 200_000, noNaN: true })
  fc.assert(
    fc.property(age, age, fc.constantFrom('online', 'degraded'), (one, other, reported) => {
      const at = (ageMs: number) => livenessOf({ ...FACTS, ageMs, reported }, LIVENESS_DEFAULTS) ?? 'offline'
      expect(RANK[at(Math.max(one, other))]).toBeGreaterThanOrEqual(RANK[at(Math.min(one, other))])
      expect(RANK[at(one)]).toBeGreaterThanOrEqual(RANK[reported])
    }),
  )
})

test.each([
  ['1.0', null, 'open'],
  ['2.0', '2.0', 'open'],
  ['2.5', '2.0', 'open'],
  ['10.0', '2.0', 'open'],
  ['1.0', '2.0', 'below'],
  ['1.9', '1.10', 'below'],
  ['2.0', '1', 'floor_invalid'],
  ['2.0', '1.0.0', 'floor_invalid'],
  ['2.0', '', 'floor_invalid'],
  ['1', null, 'version_malformed'],
  ['01.0', '1.0', 'version_malformed'],
] as const)('version %s under floor %s is %s', (version, floor, expected) => {
  expect(floorVerdict(version, floor)).toBe(expected)
  expect(isReadOnly(version, floor)).toBe(expected !== 'open')
})

test('a text that is no version never reads as at or above a floor', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(null, '0.0', '1.2'), (text, floor) => {
      fc.pre(!/^\d+\.\d+$/.test(text))
      expect(isReadOnly(text, floor)).toBe(true)
      expect(isReadOnly('999.0', text)).toBe(true)
    }),
  )
})

test('a node is schedulable only without any blocker, and each fact blocks alone', () => {
  const fit = {
    state: 'online',
    liveness: 'online',
    readOnly: false,
    declared: true,
    ownerActive: true,
    scheduling: 'open',
  } as const
  expect(blockersOf(fit)).toEqual([])
  expect(blockersOf({ ...fit, state: 'degraded' })).toEqual([Blocker.notOnline])
  expect(blockersOf({ ...fit, liveness: 'degraded' })).toEqual([Blocker.stale])
  expect(blockersOf({ ...fit, liveness: null })).toEqual([Blocker.stale])
  expect(blockersOf({ ...fit, readOnly: true })).toEqual([Blocker.readOnly])
  expect(blockersOf({ ...fit, declared: false })).toEqual([Blocker.notDeclared])
  expect(blockersOf({ ...fit, ownerActive: false })).toEqual([Blocker.ownerInactive])
  expect(blockersOf({ ...fit, scheduling: 'cordoned' })).toEqual([Blocker.cordoned])
  expect(blockersOf({ ...fit, scheduling: 'draining' })).toEqual([Blocker.cordoned, Blocker.draining])
})
