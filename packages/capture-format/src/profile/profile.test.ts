import { SondeError } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { printMonitorLine } from '../print-line.ts'
import { decodeProfile, encodeProfile } from './codec.ts'
import { Profile } from './profile.ts'
import { Profiler } from './profiler.ts'
import { readTableKey } from './table-key.ts'
import type { TopCounts } from './top-counts.ts'

const profiler = new Profiler({ dialect: 'bracket' })
const profileOf = (lines: string[], hasCutLine = false): Profile => {
  const profile = new Profile()
  profiler.add(profile, latin1Encode(lines.map((line) => `${line}\n`).join('')), { hasCutLine })
  return profile
}
const countsOf = (table: TopCounts): Record<string, number> =>
  Object.fromEntries(table.entries().map(({ text, count }) => [latin1Decode(text), count]))
const merged = (...parts: Profile[]): Profile => {
  const all = new Profile()
  for (const part of parts) all.merge(part)
  return all
}

test('a profile counts what the lines do', () => {
  const profile = profileOf(
    [
      '1.5 [0 10.0.0.1:7] "GET" "user:1"',
      '1.9 [0 10.0.0.1:8] "get" "user:2"',
      '2.0 [3 [::1]:9] "MSET" "user:1" "\\x00\\x01" "b" ~300:0123456789abcdef',
      '9.0 [0 unix:/tmp/a:1] "GET" "user:"~4:0123456789abcdef',
      '9.1 [0 lua] "PING"',
      'nonsense',
      '9.2 [0 10.0.0.1:7] "SET" "big" "xx',
    ],
    true,
  )
  expect(profile).toMatchObject({
    lines: 7,
    masked: 2,
    malformed: 1,
    cut: 1,
    untimed: 1,
    keyed: 5,
    maskedKeys: 1,
    firstEventUs: 1_500_000,
    lastEventUs: 9_200_000,
    argumentBytes: 9 + 9 + (4 + 6 + 2 + 1 + 300) + (3 + 5 + 4) + 4 + 6,
  })
  expect(countsOf(profile.shapes)).toEqual({
    'GET 1 user:{n}': 2,
    'MSET 4 user:{n}': 1,
    'GET 1 user:{masked}': 1,
    'PING 0': 1,
    'SET cut big': 1,
  })
  expect(countsOf(profile.verbs)).toEqual({ GET: 3, MSET: 1, PING: 1, SET: 1 })
  expect(countsOf(profile.clients)).toEqual({ '10.0.0.1': 3, '[::1]': 1, 'unix:/tmp/a:1': 1, lua: 1 })
  expect(countsOf(profile.dbs)).toEqual({ 0: 5, 3: 1 })
  expect(countsOf(profile.prefixes)).toEqual({ 'user:': 4, '': 2 })
  expect(profile.time.entries()).toEqual([
    { at: 1, lines: 2 },
    { at: 2, lines: 1 },
    { at: 9, lines: 3 },
  ])
  expect(profile.slots.reduce((sum, count) => sum + count)).toBe(5)
})

test('a masked key is not taken for one of the same text', () => {
  const mark = '~4:0123456789abcdef'
  const keys = profileOf([`1.5 [0 a:1] "DEL" ${mark} "${mark}" "\\x00${mark}" "\\x00"`]).keys.entries()
  const shown = keys.map(({ text }) => readTableKey(text)).map(({ key, isMasked }) => [latin1Decode(key), isMasked])
  expect(shown.toSorted()).toEqual(
    [
      [mark, true],
      [mark, false],
      [`\0${mark}`, false],
      ['\0', false],
    ].toSorted(),
  )
})

const line = fc.oneof(
  fc
    .record({
      eventUs: fc.nat(2e9),
      db: fc.constantFrom('0', '7'),
      source: fc.constantFrom('10.0.0.1:10', '10.0.0.2:1', 'lua', 'unix:/x y'),
      verb: fc.constantFrom('get', 'SET', 'mset', 'client', 'nosuch'),
      rest: fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 4 }),
    })
    .map(({ verb, rest, ...head }) => latin1Decode(printMonitorLine({ ...head, args: [latin1Encode(verb), ...rest] }))),
  fc.constantFrom('', 'nonsense', '1.2 [0 a:1] "GET" "k', '1.3 [0 a:1] "GET" ~3:0123456789abcdef'),
)
const lines = fc.array(line, { maxLength: 20 })

test('profiles of pieces make the profile of the whole, in any order and grouping, stored or not', () => {
  fc.assert(
    fc.property(lines, lines, lines, (a, b, c) => {
      const [pa, pb, pc] = [a, b, c].map((part) => profileOf(part)) as [Profile, Profile, Profile]
      const whole = encodeProfile(profileOf([...a, ...b, ...c]))
      expect(encodeProfile(merged(pa, pb, pc))).toEqual(whole)
      expect(encodeProfile(merged(pc, merged(pb, pa)))).toEqual(whole)
      const stored = new Profile()
      for (const part of [pb, pc, pa]) decodeProfile(encodeProfile(part), stored)
      expect(encodeProfile(stored)).toEqual(whole)
    }),
    { numRuns: 60 },
  )
})

test('times far apart stay exact in longer steps, whatever came first', () => {
  const times = fc.array(fc.nat(4_000_000), { minLength: 4000, maxLength: 6000 })
  fc.assert(
    fc.property(times, (seconds) => {
      const [forth, back] = [seconds, seconds.toReversed()].map((order) => {
        const profile = new Profile()
        for (const at of order) profile.time.add(at * 1e6)
        return profile.time
      })
      expect(forth!.step).toBe(back!.step)
      expect(forth!.entries()).toEqual(back!.entries())
      expect(forth!.size).toBeLessThanOrEqual(4096)
      expect(forth!.entries().reduce((sum, { lines: count }) => sum + count, 0)).toBe(seconds.length)
    }),
    { numRuns: 5 },
  )
})

test('an empty profile and one of one line come back as they were', () => {
  for (const profile of [new Profile(), profileOf(['1.5 [0 a:1] "PING"'])]) {
    const bytes = encodeProfile(profile)
    expect(encodeProfile(decodeProfile(bytes))).toEqual(bytes)
  }
})

test('bytes that are no profile are a typed error, and never anything else', () => {
  const valid = encodeProfile(profileOf(['1.5 [0 a:1] "GET" "user:1"', '7.5 [0 a:1] "SET" "b" "c"']))
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.nat(valid.length - 1).map((length) => valid.slice(0, length)),
    fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => valid.with(at, byte)),
    fc.constant(new Uint8Array(2 ** 21 + 1)),
  )
  let refused = 0
  fc.assert(
    fc.property(hostile, (bytes) => {
      try {
        decodeProfile(bytes)
      } catch (error) {
        refused += 1
        expect(error).toBeInstanceOf(SondeError)
        expect((error as SondeError).code).toBe('analysis.profile_malformed')
      }
    }),
    { numRuns: 300 },
  )
  expect(refused).toBeGreaterThan(100)
  expect(() => decodeProfile(valid.slice(0, -1))).toThrow('it ends in keys')
})
