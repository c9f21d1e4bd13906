import { expect, test } from 'vitest'
import { latin1Encode } from '../latin1.ts'
import { MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { compileSampling } from './sampling.ts'

const line = new MonitorLine()
const isKept = (isIn: ReturnType<typeof compileSampling>, stored: string): boolean => {
  const bytes = latin1Encode(stored)
  return isIn(line, parseMonitorLine(bytes, 0, bytes.length, line))
}
const indexes = [...Array(20_000).keys()]

test.each([2, 10, 97])('about one of %i keys is kept', (every) => {
  const isIn = compileSampling({ every, by: 'key' })
  const kept = indexes.filter((index) => isKept(isIn, `1.0 [0 1.2.3.4:5] "GET" "user:${index}"`)).length
  const wanted = indexes.length / every
  // Four standard deviations.
  expect(Math.abs(kept - wanted)).toBeLessThan(4 * Math.sqrt(wanted))
})

test('a key is in or out whatever the command, the client and the time, also where it is escaped', () => {
  const isIn = compileSampling({ every: 3, by: 'key' })
  for (const index of indexes.slice(0, 300)) {
    const all = [
      `1.0 [0 1.2.3.4:5] "GET" "k\\n${index}"`,
      `2.5 [1 lua] "setex" "k\\n${index}" "10" "v"`,
      `3.0 [0 9.9.9.9:${index}] "MGET" "k\\n${index}" "other"`,
      `3.0 [0 a:1] "EVAL" "return 1" "1" "k\\n${index}"`,
    ].map((stored) => isKept(isIn, stored))
    expect(new Set(all).size).toBe(1)
  }
})

test('by client all lines of a client stay together; by key those without one do', () => {
  const byClient = compileSampling({ every: 3, by: 'client' })
  const byKey = compileSampling({ every: 3, by: 'key' })
  const decisions = indexes.slice(0, 300).map((index) => {
    const isIn = isKept(byClient, `1.0 [0 1.2.3.4:${index}] "GET" "a"`)
    expect(isKept(byClient, `2.0 [1 1.2.3.4:${index}] "GET" "b"`)).toBe(isIn)
    expect(isKept(byKey, `1.0 [0 1.2.3.4:${index}] "PING"`)).toBe(isIn)
    return isIn
  })
  expect(new Set(decisions).size).toBe(2)
})

test('lines without key and client go by their time', () => {
  const isIn = compileSampling({ every: 2, by: 'key' })
  expect(new Set(indexes.slice(0, 100).map((index) => isKept(isIn, `1.${index} "PING"`))).size).toBe(2)
})
