import { hashSlot, MonitorLine, parseMonitorLine, printMonitorLine } from '@sonde/capture-format'
import { CATEGORIES, compileFilter, compileGlob, parseFilter } from '@sonde/capture-format/filter'
import { startRedis } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startNodeAt, startTraffic } from './node.ts'

test('what the filter and the sample leave out is counted, and only the rest is stored', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  const filter = 'cmd:@write (key:cart:* or key:"b\\x00:*") not arg2:secret'
  await node.run(node.open({ filter, sampling: { every: 3, by: 'key' } }))
  await node.begin()
  using traffic = await startTraffic(redis)
  await traffic.write(300, 'cart')
  await traffic.write(150, 'b\0')
  await traffic.write(200, 'user')
  await traffic.write(100, 'cart', 'secret')
  for (let index = 0; index < 20; index += 1) await redis.command('GET', `cart:${index}`)
  // The same keys once more: they are in the sample or not as before.
  await traffic.write(300, 'cart')
  await node.stop()
  const { counters } = await node.end()
  const { received, recorded, filtered, sampledOut, ownTraffic, dropped } = counters
  expect(received).toBe(recorded + filtered + sampledOut + ownTraffic + dropped)
  expect(dropped).toBe(0)
  expect(filtered).toBeGreaterThanOrEqual(320)
  expect(recorded + sampledOut).toBe(750)
  // A third of 450 keys, and four standard deviations.
  expect(Math.abs(recorded - 250)).toBeLessThan(80)

  await node.manifest()
  const stored = node.store.linesOf(node.key()).trimEnd().split('\n')
  expect(stored).toHaveLength(recorded)
  const isWanted = compileFilter(parseFilter(filter)!, { segmentNo: 0 })
  const line = new MonitorLine()
  const keys = new Map<string, number>()
  for (const text of stored) {
    const bytes = Buffer.from(text, 'latin1')
    expect(isWanted(line, parseMonitorLine(bytes, 0, bytes.length, line))).toBe(true)
    const [, key = ''] = /"SET" "((?:cart|b\\x00):\d+)"/.exec(text) ?? []
    keys.set(key, (keys.get(key) ?? 0) + 1)
  }
  const times = (prefix: string) =>
    new Set([...keys].filter(([key]) => key.startsWith(prefix)).map(([, count]) => count))
  expect([times('cart:'), times('b\\x00:')]).toEqual([new Set([2]), new Set([1])])
})

test('lines that do not match use up nothing of the budget', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  const slice = { sliceNo: 0, bytes: 2 ** 20, lines: 5, lastBytes: true, lastLines: true }
  await node.run(node.open({ filter: 'key:wanted:*', slice }))
  await node.begin()
  using traffic = await startTraffic(redis)
  await traffic.write(500, 'other')
  await traffic.write(5, 'wanted')
  expect(await node.end()).toMatchObject({ end: { reason: 'line_cap' }, counters: { recorded: 5, dropped: 0 } })
  await node.manifest()
  expect(node.store.linesOf(node.key()).match(/"wanted:\d"/g)).toHaveLength(5)
})

test('a filter that this daemon cannot read is refused before anything is opened', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  await using node = await startNodeAt(redis)
  expect(await node.run(node.open({ filter: 'colour:red' }))).toMatchObject({
    kind: 'refused',
    code: 'monitor_open_failed',
    detail: expect.stringMatching(/cannot use the filter: .*column 1: there is no term "colour"/),
  })
})

test('a pattern matches what it matches at the server', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  const pieces = [
    'a',
    'b',
    'c',
    '-',
    '^',
    '*',
    '?',
    '[a-b]',
    '[^ab]',
    '[c-a]',
    '[\\]-]',
    '[]',
    '[^]',
    '\\*',
    '\\[',
    ']',
    '.',
  ]
  const pattern = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''))
  const name = fc.stringMatching(/^[abc\-^*?[\].\\]{1,8}$/)
  const script =
    "redis.call('SET', KEYS[1], 1) local n = #redis.call('KEYS', ARGV[1]) redis.call('DEL', KEYS[1]) return n"
  for (const [glob, key] of fc.sample(fc.tuple(pattern, name), { numRuns: 500, seed: 45 })) {
    const found = await redis.command('EVAL', script, '1', key, glob)
    const bytes = Buffer.from(key)
    const is = compileGlob(glob).matches(bytes, 0, bytes.length)
    expect({ glob, key, is }).toEqual({ glob, key, is: found === 1 })
  }
})

test('categories hold what they hold at the server', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  const line = new MonitorLine()
  const isIn = (category: string, command: string): boolean => {
    const args = command.split('|').map((each) => Buffer.from(each))
    const bytes = printMonitorLine({ eventUs: 1, db: '0', source: '1.2.3.4:5', args })
    const error = parseMonitorLine(bytes, 0, bytes.length, line)
    return compileFilter(parseFilter(`cmd:@${category}`)!, { segmentNo: 0 })(line, error)
  }
  // A server that is newer than the table may have more of both.
  const categories = ((await redis.command('ACL', 'CAT')) as string[]).filter((each) => CATEGORIES.includes(each))
  expect(categories.length).toBeGreaterThan(20)
  const members = await Promise.all(
    categories.map(async (category) => (await redis.command('ACL', 'CAT', category)) as string[]),
  )
  const commands = [...new Set(members.flat())].filter((each) => categories.some((category) => isIn(category, each)))
  expect(commands.length).toBeGreaterThan(300)
  const wrong = categories.flatMap((category, index) =>
    commands.filter((command) => isIn(category, command) !== members[index]!.includes(command)),
  )
  expect(wrong).toEqual([])
})

test('slots are the ones that the server computes', async ({ skip }) => {
  requireRedis({ skip })
  await using redis = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  for (const key of ['foo', 'a{b}c', '{}x', 'x{', 'x}{y}', '{{a}}', 'ä', ' ', 'a{b}{c}', '{a', 'x'.repeat(1000)]) {
    expect(await redis.command('CLUSTER', 'KEYSLOT', key)).toBe(hashSlot(Buffer.from(key)))
  }
})
