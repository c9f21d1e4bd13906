import { expect, test } from 'vitest'
import { createUploadMemory } from './upload-memory.ts'

const ever = new AbortController().signal
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Takes, and keeps what it was given for when it was. */
const taker = (memory: ReturnType<typeof createUploadMemory>) => {
  const given: string[] = []
  const back = new Map<string, () => void>()
  const take = (name: string, node: string, bytes: number, signal: AbortSignal = ever) =>
    memory.take(node, bytes, signal).then((giveBack) => {
      given.push(name)
      back.set(name, giveBack)
    })
  return { given, back, take }
}

test('no more is given than there is, and a large one is not passed over by smaller ones', async () => {
  const memory = createUploadMemory({ bytes: 100, nodeBytes: 90 })
  const { given, back, take } = taker(memory)
  void take('a', 'n1', 60)
  void take('large', 'n2', 90)
  void take('small', 'n3', 10)
  await settle()
  expect(given).toEqual(['a'])
  expect([memory.taken, memory.isTight]).toEqual([60, true])
  back.get('a')?.()
  await settle()
  expect(given).toEqual(['a', 'large', 'small'])
  expect(memory.taken).toBe(100)
  back.get('large')?.()
  back.get('small')?.()
  expect([memory.taken, memory.isTight]).toEqual([0, false])
})

test('a node at its own bound waits alone', async () => {
  const memory = createUploadMemory({ bytes: 100, nodeBytes: 40 })
  const { given, back, take } = taker(memory)
  void take('first', 'busy', 40)
  void take('second', 'busy', 40)
  void take('other', 'calm', 40)
  await settle()
  expect(given).toEqual(['first', 'other'])
  back.get('first')?.()
  await settle()
  expect(given).toEqual(['first', 'other', 'second'])
})

test('who goes away while it waits leaves its place to the next', async () => {
  const memory = createUploadMemory({ bytes: 100, nodeBytes: 100 })
  const { given, take } = taker(memory)
  const leaving = new AbortController()
  void take('first', 'n1', 60)
  const gone = take('gone', 'n2', 90, leaving.signal)
  void take('next', 'n3', 40)
  leaving.abort(new Error('gone'))
  await expect(gone).rejects.toThrow('gone')
  await settle()
  expect(given).toEqual(['first', 'next'])
  expect(memory.taken).toBe(100)
})
