import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareVersions, versionSchema } from './version.ts'

const segment = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 999_999_999 }))
const version = fc.tuple(segment, segment).map(([major, minor]) => `${major}.${minor}`)

test.for([
  ['1.0', '1.0', 0],
  ['1.9', '1.10', -1],
  ['10.0', '9.0', 1],
  ['2.0', '10.0', -1],
  ['1.999999999', '2.0', -1],
] as const)('%s against %s is %i', ([a, b, expected]) => {
  expect(compareVersions(a, b)).toBe(expected)
})

test('the order is antisymmetric and transitive', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(compareVersions(a, b) + compareVersions(b, a)).toBe(0)
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) expect(compareVersions(a, c)).toBeLessThanOrEqual(0)
    }),
  )
})

test.for(['1', '1.0.0', '01.0', '1.00', '1234567890.0', '-1.0', '1.0-rc', ' 1.0', '', 'a.b'])(
  '%j is not a version, and comparing it is an error rather than a verdict',
  (text) => {
    expect(versionSchema.safeParse(text).success).toBe(false)
    expect(() => compareVersions(text, '1.0')).toThrow(RangeError)
  },
)
