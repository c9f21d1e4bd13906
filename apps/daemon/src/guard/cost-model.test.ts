import { expect, test } from 'vitest'
import { costModelOf, predictCpuShare, predictedCpuShare } from './cost-model.ts'

test('each generation of server has its cost of a byte, and an unknown one the highest', () => {
  const bytes = (version: string | null, isValkey = false) => costModelOf({ version, isValkey }).byteUs
  expect(['2.8.24', '6.2.16', '7.0.15', null, 'unstable'].map((version) => bytes(version))).toEqual(
    Array(5).fill(0.043),
  )
  expect(['7.2.0', '7.4.1', '8.0.0', '10.0.0'].map((version) => bytes(version))).toEqual(Array(4).fill(0.014))
  expect([bytes('7.2.5', true), bytes('8.0.1', true)]).toEqual([0.014, 0.014])
  expect([bytes('8.1.0', true), bytes('9.0.0', true)]).toEqual([0.0015, 0.0015])
})

test('4 KB values on Redis 7.0 cost a whole core at 5,600 a second, small reads a tenth of one at 100,000', () => {
  const model = costModelOf({ version: '7.0.15', isValkey: false })
  expect(predictCpuShare(model, { opsPerSecond: 5_600, inputKbps: 5_600 * 4 })).toBeCloseTo(0.99, 1)
  expect(predictCpuShare(model, { opsPerSecond: 100_000, inputKbps: 0 })).toBeCloseTo(0.11)
})

test('what INFO does not tell is unknown', () => {
  expect(predictedCpuShare(new Map([['redis_version', '7.0.15']]))).toBeNull()
  const traffic = [
    ['instantaneous_ops_per_sec', '1000'],
    ['instantaneous_input_kbps', '0'],
  ] as const
  expect(predictedCpuShare(new Map(traffic))).toBeCloseTo(0.0011)
  expect(predictedCpuShare(new Map([...traffic, ['valkey_version', '8.1.0']]))).toBeCloseTo(0.0007)
})
