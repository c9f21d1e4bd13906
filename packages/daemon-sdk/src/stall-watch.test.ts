import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { createStallWatch } from './stall-watch.ts'

/** Can let time pass in which nothing runs, timers included. */
class FreezableClock extends ManualClock {
  #frozenMs = 0

  override monotonicMs(): number {
    return super.monotonicMs() + this.#frozenMs
  }

  freeze(ms: number): void {
    this.#frozenMs += ms
  }
}

/** `answers`: whether the watched thread does so at once. */
const setUp = () => {
  const clock = new FreezableClock()
  const thread = { answers: true }
  const told: string[] = []
  let pings = 0
  const watch = createStallWatch({
    clock,
    ping: () => {
      pings += 1
      if (thread.answers) clock.setTimeout(() => watch.pong(), 0)
    },
    onLong: (ms) => told.push(`long ${ms}`),
    onOver: (ms) => told.push(`over ${ms}`),
  })
  return { clock, thread, told, watch, pings: () => pings }
}

test('a thread that answers is pinged once a second and nothing is told', () => {
  const { clock, told, pings } = setUp()
  clock.advance(60_000)
  expect([told, pings()]).toEqual([[], 61])
})

test('a stall is told once when it is over, with its length, and a long one once before', () => {
  const { clock, thread, told, watch, pings } = setUp()
  clock.advance(5_500)
  thread.answers = false
  clock.advance(45_500)
  expect(told).toEqual(['long 10000'])
  // One ping is open and no other is sent: the thread that wakes up has one to answer.
  expect(pings()).toBe(7)
  thread.answers = true
  watch.pong()
  clock.advance(60_000)
  expect(told).toEqual(['long 10000', 'over 45000'])
})

test('an answer within 2 s is no stall', () => {
  const { clock, thread, told, watch } = setUp()
  clock.advance(500)
  thread.answers = false
  clock.advance(2_500)
  watch.pong()
  clock.advance(1_000)
  clock.advance(2_001)
  watch.pong()
  expect(told).toEqual(['over 2001'])
})

test('time in which this thread did not run either is not the other one to blame for', () => {
  const { clock, thread, told, watch } = setUp()
  clock.advance(500)
  thread.answers = false
  clock.advance(1_000)
  // The whole process was stopped: no timer ran in time.
  clock.freeze(60_000)
  watch.pong()
  expect(told).toEqual([])
})
