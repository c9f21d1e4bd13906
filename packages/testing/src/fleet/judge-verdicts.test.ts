import { describe, expect, test } from 'vitest'
import { falseVerdicts } from './judge-verdicts.ts'

const settings = { heartbeatMs: 15, offlineAfterMs: 60 }
const cuts = new Map([[1, [{ from: 1_000, to: 1_100 }]]])
const isFalse = (node: number, at: number, outages: { from: number; to: number }[] = []): boolean =>
  falseVerdicts({ verdicts: [{ node, at }], cuts, outages, ...settings }).length === 1

describe('a verdict offline', () => {
  test('is deserved by a node that has been cut off for long enough', () => {
    expect(isFalse(1, 1_050)).toBe(false)
    expect(isFalse(1, 1_062)).toBe(false)
  })

  test('is false of a node that was never cut off', () => {
    expect(isFalse(0, 1_062)).toBe(true)
  })

  test('is false before the silence can have lasted', () => {
    expect(isFalse(1, 1_020)).toBe(true)
  })

  test('is false once the node has had a period to beat again', () => {
    expect(isFalse(1, 1_110)).toBe(false)
    expect(isFalse(1, 1_120)).toBe(true)
  })

  test('is deserved for as long as nobody could hear that the node was back', () => {
    expect(isFalse(1, 1_150, [{ from: 1_090, to: 1_140 }])).toBe(false)
    expect(isFalse(1, 1_160, [{ from: 1_090, to: 1_140 }])).toBe(true)
    expect(isFalse(1, 1_150, [{ from: 1_200, to: 1_300 }])).toBe(true)
  })

  test('is false when the control plane alone was gone', () => {
    expect(isFalse(0, 1_150, [{ from: 1_000, to: 1_140 }])).toBe(true)
  })
})
