import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { createBeatTimer } from './beat-timer.ts'

const setUp = (random = () => 0.5) => {
  const clock = new ManualClock()
  const dueAt: number[] = []
  const timer = createBeatTimer({ clock, random, onDue: () => dueAt.push(clock.monotonicMs()) })
  return { clock, dueAt, timer }
}

test.each([
  [0, 13_500],
  [0.5, 15_000],
  [1, 16_500],
])('with %d drawn, a beat of a period of 15 s is due after %i ms, once', (drawn, ms) => {
  const { clock, dueAt, timer } = setUp(() => drawn)
  timer.schedule(15_000)
  clock.advance(ms - 1)
  expect(dueAt).toEqual([])
  clock.advance(60_000)
  expect(dueAt).toEqual([ms])
})

test('a beat that is scheduled anew is due once, and one that is cancelled never', () => {
  const { clock, dueAt, timer } = setUp()
  timer.schedule(15_000)
  clock.advance(10_000)
  timer.schedule(2_000)
  clock.advance(5_000)
  expect(dueAt).toEqual([12_000])
  timer.schedule(2_000)
  timer.cancel()
  clock.advance(60_000)
  expect(dueAt).toEqual([12_000])
})

test('after a sleep in which monotonic time stood still the beat is due within a second', () => {
  const { clock, dueAt, timer } = setUp()
  timer.schedule(15_000)
  clock.advance(3_500)
  clock.jumpTo(clock.now() + 8 * 3_600_000)
  clock.advance(1_000)
  expect(dueAt).toEqual([4_000])
})

test('a wall clock that is set forward by less than a period, or back, moves no beat', () => {
  const { clock, dueAt, timer } = setUp()
  timer.schedule(15_000)
  clock.jumpTo(clock.now() + 14_000)
  clock.advance(15_000)
  timer.schedule(15_000)
  clock.jumpTo(clock.now() - 3_600_000)
  clock.advance(15_000)
  expect(dueAt).toEqual([15_000, 30_000])
})
