import { latin1Decode } from '@sonde/capture-format'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { Synthetic } from './synthetic.ts'

/** A generator that gives the same numbers each time. */
const seeded = (): (() => number) => {
  let state = 1
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const run = async (ms: number) => {
  const clock = new ManualClock()
  const source = new Synthetic({ clock, random: seeded(), linesPerSecond: 100, maxLineBytes: 4096 })
  const lines: string[] = []
  const verbs = new Set<string>()
  let errors = 0
  await source.open({
    line: ({ bytes, start, end, parsed, error }) => {
      lines.push(latin1Decode(bytes, start, end))
      if (error !== null) errors += 1
      verbs.add(latin1Decode(bytes, parsed.ranges[0], parsed.ranges[1]))
    },
    ended: () => undefined,
  })
  clock.advance(ms)
  return { source, clock, lines, verbs, errors }
}

test('the workload is steady, mixed and well formed, and the same for the same numbers drawn', async () => {
  const { lines, verbs, errors } = await run(10_000)
  expect(lines).toHaveLength(1000)
  expect(errors).toBe(0)
  expect([...verbs].toSorted()).toEqual([
    'DEL',
    'EXPIRE',
    'GET',
    'HGETALL',
    'HSET',
    'INCR',
    'LPUSH',
    'MGET',
    'SET',
    'ZADD',
  ])
  expect((await run(10_000)).lines).toEqual(lines)
})

test('after a close nothing more is made and no timer waits', async () => {
  const { source, clock, lines } = await run(1000)
  source.close()
  clock.advance(10_000)
  expect(lines).toHaveLength(100)
  expect(clock.pending).toBe(0)
})
