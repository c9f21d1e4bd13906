import { setImmediate } from 'node:timers/promises'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import type { ServerAddress } from './server-address.ts'
import { TopologyWatch } from './topology-watch.ts'

const ADDRESS: ServerAddress = { host: '127.0.0.1', port: 7000, tls: false }
const line = (id: string, flags: string, pong: number, slots: string) =>
  `${id} 127.0.0.1:700${id.length}@17000 ${flags} - 0 ${pong} 1 connected ${slots}`

test('a first view and each changed one are told, pings and order are no change, silence is one, and it ends by itself', async () => {
  const clock = new ManualClock()
  let reading: ServerAddress[] = [ADDRESS]
  let told = 0
  let answer: () => Promise<string> = () => Promise.reject(new Error('not set'))
  using watch = new TopologyWatch({
    clock,
    reading: () => reading,
    clusterNodes: () => answer(),
    changed: () => (told += 1),
  })
  const says = async (...lines: string[]): Promise<number> => {
    answer = () => (lines.length === 0 ? Promise.reject(new Error('gone')) : Promise.resolve(lines.join('\n')))
    clock.advance(1_000)
    // All that a look waits for is promises that are settled already.
    await setImmediate()
    return told
  }
  watch.start()
  watch.start()
  const [a, b] = [line('a', 'myself,master', 1, '0-9'), line('bb', 'master', 1, '10-19')]
  expect(await says(a, b)).toBe(1)
  expect(await says(line('bb', 'master', 2, '10-19'), line('a', 'myself,master', 2, '0-9'))).toBe(1)
  expect(await says(line('a', 'myself,master', 3, '0-8'), line('bb', 'master', 3, '9-19'))).toBe(2)
  expect(await says()).toBe(3)
  expect(await says()).toBe(3)
  reading = []
  expect(await says(a, b)).toBe(3)
  reading = [ADDRESS]
  expect(await says(a, b)).toBe(3)
  watch.start()
  expect(await says(a, b)).toBe(4)
})
