import { requireRedis } from '@sonde/testing/redis-test'
import { expect, test as baseTest } from 'vitest'
import { runCaptureDrill } from './run-capture-drill.ts'

const test = baseTest.extend('redisServer', { auto: true }, requireRedis)
const MINUTE = 60_000

test(
  'a capture loses nothing that was acknowledged and tells of every gap, whatever is killed, stopped and cut meanwhile',
  { timeout: 5 * MINUTE },
  async () => {
    const checks = await runCaptureDrill({ seed: 1, ms: 40_000 })
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect(checks).toHaveLength(15)
  },
)

test(
  'a PostgreSQL that is killed in the middle of a capture costs no line: the capture goes on and is whole',
  { timeout: 5 * MINUTE },
  async () => {
    const checks = await runCaptureDrill({ seed: 2, ms: 6_000, kinds: ['PostgreSQL killed'] })
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    const gaps = checks.filter(({ name }) => name.endsWith('every gap is reported'))
    expect(gaps).toHaveLength(6)
    for (const { detail } of gaps) expect(detail).toContain('0 missing within 0 reported spans')
  },
)
