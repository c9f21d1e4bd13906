import { keysOf, latin1Encode, MonitorLine, parseMonitorLine, printMonitorLine } from '@sonde/capture-format'
import { seededRandom, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { commandDocs, makeCall } from './command-calls.ts'

const CALLS_EACH = 40

/** Answers of `COMMAND GETKEYS` to all calls in one round trip: the keys, or the error. */
const GETKEYS = `
  local answers = {}
  for _, call in ipairs(cjson.decode(ARGV[1])) do
    local answer = redis.pcall('command', 'getkeys', unpack(call))
    answers[#answers + 1] = answer.err and {'error', answer.err} or answer
  end
  return cjson.encode(answers)`

const keysHere = (call: readonly string[]): string[] => {
  const args = call.map(latin1Encode)
  const line = new MonitorLine()
  const bytes = printMonitorLine({ eventUs: 1, db: '0', source: 'a:1', args })
  expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBeNull()
  const out: number[] = []
  keysOf(line, out)
  return out.map((index) => call[index]!)
}

redisTest('the keys of every command are those that a server finds', async () => {
  await using redis = await startRedis()
  const random = seededRandom(7)
  const calls = (await commandDocs(redis)).flatMap((command) =>
    Array.from({ length: CALLS_EACH }, () => makeCall(command, random)),
  )
  const answers: string[][] = []
  for (let from = 0; from < calls.length; from += 500) {
    const reply = await redis.command('eval', GETKEYS, '0', JSON.stringify(calls.slice(from, from + 500)))
    answers.push(...(JSON.parse(String(reply)) as string[][]))
  }
  const compared = new Set<string>()
  const wrong: object[] = []
  for (const [index, call] of calls.entries()) {
    const [first, error] = answers[index]!
    // What the server takes for an invalid call says nothing about keys.
    if (first === 'error' && !/no key arguments/.test(error!)) continue
    const there = first === 'error' ? [] : answers[index]!
    if (there.length > 0) compared.add(call[0]!)
    const here = keysHere(call)
    if (JSON.stringify(here) !== JSON.stringify(there)) wrong.push({ call: call.join(' '), here, there })
  }
  expect(wrong.slice(0, 20)).toEqual([])
  expect(compared.size).toBeGreaterThan(140)
})
