import { expect, test } from 'vitest'
import { requireOf, samplingOf, scopeWantedOf } from './capture-start.ts'
import { UsageError } from './core/failure.ts'

test('exactly one way to say what to capture is taken', () => {
  expect(scopeWantedOf({ allPrimaries: true })).toEqual({ kind: 'primaries' })
  expect(scopeWantedOf({ target: ['h:1'] })).toEqual({ kind: 'targets', names: ['h:1'] })
  expect(scopeWantedOf({ cluster: 'c' })).toEqual({ kind: 'cluster', clusterId: 'c' })
  expect(scopeWantedOf({ replicas: true })).toEqual({ kind: 'replicas' })
  expect(scopeWantedOf({ replicas: true, cluster: 'c' })).toEqual({ kind: 'replicas', clusterId: 'c' })
  expect(() => scopeWantedOf({ replicas: true, target: ['h:1'] })).toThrow(UsageError)
  expect(() => scopeWantedOf({})).toThrow(UsageError)
  expect(() => scopeWantedOf({ allPrimaries: true, cluster: 'c' })).toThrow(UsageError)
})

test.each([
  ['all', 'all'],
  ['any', 'any'],
  ['quorum', 'quorum'],
  ['2', 2],
  ['1024', 1024],
])('--require %s is read', (text, value) => {
  expect(requireOf(text)).toBe(value)
})

test.each(['', '0', '1025', '-1', 'most', '1.5'])('--require %j is a usage error', (text) => {
  expect(() => requireOf(text)).toThrow(UsageError)
})

test('a sample is by key unless it is told, and has a size', () => {
  expect(samplingOf({})).toEqual({})
  expect(samplingOf({ sample: 10 })).toEqual({ sampling: { every: 10, by: 'key' } })
  expect(samplingOf({ sample: 10, sampleBy: 'client' })).toEqual({ sampling: { every: 10, by: 'client' } })
  expect(() => samplingOf({ sampleBy: 'key' })).toThrow(UsageError)
})
