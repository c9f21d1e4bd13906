import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { createGroupCommit } from './group-commit.ts'

/** A commit that records its groups and returns when the test says so. */
const manualCommit = () => {
  const groups: { items: number[]; finish: (error?: Error) => void }[] = []
  const commit = (items: number[]) =>
    new Promise<number[]>((resolve, reject) => {
      const finish = (error?: Error) => (error ? reject(error) : resolve(items.map((item) => item * 10)))
      groups.push({ items, finish })
    })
  return { groups, commit }
}

test('items that arrive within the window are committed together, each with its own verdict', async () => {
  const clock = new ManualClock()
  const { groups, commit } = manualCommit()
  const submit = createGroupCommit({ clock, windowMs: 5, commit })
  const first = submit(1)
  await clock.advanceAsync(4)
  const second = submit(2)
  expect(groups).toHaveLength(0)
  await clock.advanceAsync(1)
  expect(groups.map(({ items }) => items)).toEqual([[1, 2]])
  groups[0]?.finish()
  expect(await Promise.all([first, second])).toEqual([10, 20])
})

test('what arrives while a group is on its way goes as soon as that has returned, without a further wait', async () => {
  const clock = new ManualClock()
  const { groups, commit } = manualCommit()
  const submit = createGroupCommit({ clock, windowMs: 5, commit })
  const first = submit(1)
  await clock.advanceAsync(5)
  const later = [submit(2), submit(3)]
  await clock.advanceAsync(100)
  expect(groups).toHaveLength(1)
  groups[0]?.finish()
  await first
  await clock.advanceAsync(0)
  expect(groups.map(({ items }) => items)).toEqual([[1], [2, 3]])
  groups[1]?.finish()
  expect(await Promise.all(later)).toEqual([20, 30])
})

test('a group is bounded, and a failed one fails its own items only', async () => {
  const clock = new ManualClock()
  const { groups, commit } = manualCommit()
  const submit = createGroupCommit({ clock, mostItems: 2, commit })
  const outcomes = Promise.allSettled([submit(1), submit(2), submit(3)])
  await clock.advanceAsync(5)
  groups[0]?.finish(new Error('lost'))
  await clock.advanceAsync(0)
  groups[1]?.finish()
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  const next = submit(4)
  await clock.advanceAsync(5)
  groups[2]?.finish()
  expect(await next).toBe(40)
})

test('a group takes items up to its size, and one that is larger goes alone', async () => {
  const clock = new ManualClock()
  const { groups, commit } = manualCommit()
  const submit = createGroupCommit({ clock, sizeOf: (item: number) => item, mostSize: 10, commit })
  const verdicts = Promise.all([4, 6, 1, 30, 2].map(submit))
  await clock.advanceAsync(5)
  for (let at = 0; at < 4; at += 1) {
    groups[at]?.finish()
    await clock.advanceAsync(0)
  }
  expect(groups.map(({ items }) => items)).toEqual([[4, 6], [1], [30], [2]])
  expect(await verdicts).toEqual([40, 60, 10, 300, 20])
})
