import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextCommand } from './workload-mix.ts'

test('every command names its key first, and all verbs of the mix occur', () => {
  const verbs = new Set<string | undefined>()
  let state = 1
  // The minimal standard generator: the same sequence on every machine.
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  for (let index = 0; index < 5_000; index += 1) {
    const { key, args } = nextCommand(random)
    expect(args[1]).toBe(key)
    verbs.add(args[0])
  }
  expect([...verbs].toSorted()).toEqual(['EXPIRE', 'GET', 'HSET', 'INCR', 'LPUSH', 'LTRIM', 'SET', 'ZADD'])
})

test('any numbers give a command of texts that are not empty', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 8 }),
      (numbers) => {
        let at = 0
        const { args } = nextCommand(() => numbers[at++ % numbers.length] ?? 0)
        expect(args.every((each) => each.length > 0)).toBe(true)
      },
    ),
  )
})
