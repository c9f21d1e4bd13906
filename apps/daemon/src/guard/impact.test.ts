import { describe, expect, test } from 'vitest'
import { IMPACT_DEFAULTS, ImpactJudge, type Reading } from './impact.ts'

const QUIET: Reading = { omemBytes: 0, roundTripUs: 100, usedMemory: 1e6, memoryLimit: 1e9, cpuShare: 0.1 }
const UNKNOWN: Reading = { omemBytes: null, roundTripUs: null, usedMemory: null, memoryLimit: null, cpuShare: null }

const judge = (readings: readonly Partial<Reading>[], { everyMs = 250, baselineUs = 100 } = {}) => {
  const judged = new ImpactJudge(IMPACT_DEFAULTS, baselineUs)
  const impacts = readings.map((reading, index) => judged.judge({ ...QUIET, ...reading }, index * everyMs))
  return {
    first: impacts.find((impact) => impact !== null),
    at: impacts.findIndex((impact) => impact !== null),
    judged,
  }
}
const repeat = (reading: Partial<Reading>, count: number) => Array.from({ length: count }, () => reading)

describe('what ends a reader', () => {
  test('16 MiB of output that waits, at the first look that sees it', () => {
    expect(judge([{ omemBytes: 2 ** 24 - 1 }]).first).toBeUndefined()
    expect(judge([{ omemBytes: 2 ** 24 }])).toMatchObject({ at: 0, first: { signal: 'omem' } })
  })

  test('memory at 95 % of the limit, when part of it is held for the reader', () => {
    const full = { usedMemory: 0.96e9, memoryLimit: 1e9 }
    expect(judge([{ ...full, omemBytes: 2 ** 20 }]).first).toMatchObject({ signal: 'memory' })
    expect(judge([{ ...full, omemBytes: 2 ** 20 - 1 }]).first).toBeUndefined()
    expect(judge([{ usedMemory: 0.94e9, memoryLimit: 1e9, omemBytes: 2 ** 20 }]).first).toBeUndefined()
    expect(judge([{ usedMemory: 1e9, memoryLimit: 0, omemBytes: 2 ** 20 }]).first).toBeUndefined()
  })

  test('a median round trip of both three times the one before and 10 ms, over 5 s', () => {
    const slow = repeat({ roundTripUs: 12_000 }, 30)
    expect(judge(slow)).toMatchObject({ at: 20, first: { signal: 'latency' } })
    expect(judge(slow, { baselineUs: 4_500 }).first).toBeUndefined()
    expect(judge(repeat({ roundTripUs: 9_900 }, 30)).first).toBeUndefined()
    // Less than half of the looks.
    const mixed = Array.from({ length: 60 }, (_, index) => ({ roundTripUs: index % 3 === 0 ? 90_000 : 100 }))
    expect(judge(mixed).first).toBeUndefined()
  })

  test('a cost above half a core for 5 s without a break', () => {
    expect(judge(repeat({ cpuShare: 0.51 }, 30))).toMatchObject({ at: 20, first: { signal: 'cpu' } })
    expect(judge(repeat({ cpuShare: 0.5 }, 30)).first).toBeUndefined()
    const broken = Array.from({ length: 60 }, (_, index) => ({ cpuShare: index % 15 === 14 ? 0.4 : 0.9 }))
    expect(judge(broken).first).toBeUndefined()
  })

  test('nothing that is unknown', () => {
    const { first, judged } = judge(repeat(UNKNOWN, 60))
    expect(first).toBeUndefined()
    expect(judged.addedLatencyUs).toBeNull()
  })

  test('the words name the signal, the number and the limit', () => {
    expect(judge([{ omemBytes: 20_000_000 }]).first?.detail).toBe(
      'omem: the server held 20000000 bytes for this daemon, 16777216 are allowed',
    )
  })
})

test('the added latency is the median of the last 5 s beyond the baseline', () => {
  const { judged } = judge([...repeat({ roundTripUs: 90_000 }, 10), ...repeat({ roundTripUs: 350 }, 20)])
  expect(judged.addedLatencyUs).toBe(250)
})
