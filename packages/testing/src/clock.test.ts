import { expect, test } from 'vitest'
import { ManualClock } from './clock.ts'

test('timers fire in the order of their time, each at its own moment, later-set ones included', () => {
  const clock = new ManualClock(1_000)
  const fired: [string, number, number][] = []
  const note = (name: string): void => void fired.push([name, clock.now(), clock.monotonicMs()])
  clock.setTimeout(() => note('second'), 20)
  clock.setTimeout(() => {
    note('first')
    clock.setTimeout(() => note('chained'), 5)
  }, 10)
  clock.setTimeout(() => note('too late'), 31)
  clock.advance(30)
  expect(fired).toEqual([
    ['first', 1_010, 10],
    ['chained', 1_015, 15],
    ['second', 1_020, 20],
  ])
  expect([clock.now(), clock.pending, clock.nextInMs]).toEqual([1_030, 1, 1])
})

test('a cancelled timer does not fire, and an unknown handle is ignored', () => {
  const clock = new ManualClock()
  const handle = clock.setTimeout(() => expect.unreachable(), 10)
  clock.clearTimeout(handle)
  clock.clearTimeout(undefined)
  clock.advance(100)
  expect(clock.pending).toBe(0)
})

test('advanceAsync lets a loop that awaits its own timer go round', async () => {
  const clock = new ManualClock()
  let rounds = 0
  const loop = (async () => {
    for (; rounds < 5; rounds += 1) await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))
  })()
  await clock.advanceAsync(35)
  expect(rounds).toBe(3)
  await clock.advanceAsync(20)
  await loop
})

test('a jump of the wall clock moves neither timers nor monotonic time', () => {
  const clock = new ManualClock(5_000)
  let fired = false
  clock.setTimeout(() => (fired = true), 10)
  clock.jumpTo(1)
  clock.advance(9)
  expect([clock.now(), clock.monotonicMs(), fired]).toEqual([10, 9, false])
})
