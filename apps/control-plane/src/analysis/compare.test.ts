import { Profile, Profiler } from '@sonde/capture-format/profile'
import type { AnalysisDiff, Capture, ComparedList } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareSides, sameCapture } from './compare.ts'
import type { Side } from './side.ts'

const profiler = new Profiler({ dialect: 'bracket' })
const lineOf = (command: string, client = '10.0.0.1:5'): string =>
  `1.5 [0 ${client}] ${command
    .split(' ')
    .map((word) => `"${word}"`)
    .join(' ')}`
const repeat = (command: string, times: number): string[] => Array.from({ length: times }, () => lineOf(command))

const sideOf = (
  lines: string[],
  more: { seconds?: number; target?: string; capture?: Partial<Capture> } = {},
): Side => {
  const { seconds = 10, target = 't:1', capture = {} } = more
  const profile = new Profile()
  profiler.add(profile, Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'), { hasCutLine: false })
  const captures = [
    {
      id: target,
      status: 'completed',
      policyLevel: 'full',
      policyRevision: 1,
      filter: null,
      sampling: null,
      segments: [],
      lineCount: lines.length,
      ...capture,
    } as unknown as Capture,
  ]
  return {
    captures,
    profile,
    targets: [{ targetId: target, target, shard: null, lines: lines.length, seconds }],
    leftOut: null,
  }
}

const shown = ({ rows }: ComparedList) => rows.map(({ text, change, isSignificant }) => [text, change, isSignificant])

test('what only one side does and what it does more often is found, and noise is not', () => {
  const a = sideOf([
    ...repeat('GET user:1', 1000),
    ...repeat('SET cart:1 x', 300),
    ...repeat('FLUSHALL', 1),
    ...repeat('DEL q:1', 20),
  ])
  const b = sideOf([...repeat('GET user:1', 1040), ...repeat('SET cart:1 x', 100), ...repeat('HGET u:1 f', 50)])
  const diff = compareSides(a, b, 50)
  expect(shown(diff.shapes)).toEqual([
    ['SET 2 cart:{n}', 'changed', true],
    ['HGET 2 u:{n}', 'onlyB', true],
    ['DEL 1 q:{n}', 'onlyA', true],
    ['FLUSHALL 0', 'onlyA', false],
  ])
  expect(diff.shapes.rows[0]).toMatchObject({ ratio: 3, a: { count: 300, error: 0, perSecond: 30 }, b: { count: 100 } })
  expect(diff.shapes.isExact).toBe(true)
  expect(shown(diff.prefixes).map(([text]) => text)).toEqual(['cart:', 'u:', 'q:'])
  expect(diff.caveats).toEqual([])
})

test('rates are compared, not counts', () => {
  const a = sideOf(repeat('GET user:1', 100), { seconds: 10 })
  const b = sideOf(repeat('GET user:1', 1000), { seconds: 100 })
  const diff = compareSides(a, b, 50)
  for (const list of [diff.shapes, diff.verbs, diff.clients, diff.dbs, diff.prefixes, diff.keys, diff.sizes]) {
    expect(list.rows).toEqual([])
  }
})

test('keys that come into the top, leave it or move in it are found; the same rank is silent', () => {
  const a = sideOf([...repeat('GET k:same', 9), ...repeat('GET k:up', 8), ...repeat('GET k:new', 7)])
  const b = sideOf([...repeat('GET k:same', 9), ...repeat('GET k:old', 7), ...repeat('GET k:up', 6)])
  const { keys } = compareSides(a, b, 50)
  expect(keys.rows.map(({ key, change, a: x, b: y }) => [key, change, x.rank, y.rank])).toEqual([
    ['k:up', 'changed', 2, 3],
    ['k:new', 'onlyA', 3, null],
    ['k:old', 'onlyB', null, 2],
  ])
})

test('lines that became larger are found', () => {
  const a = sideOf(repeat(`SET k:1 ${'x'.repeat(1000)}`, 10))
  const { sizes } = compareSides(a, sideOf(repeat('SET k:2 x', 10)), 50)
  expect(sizes.rows).toMatchObject([{ text: 'SET 2 k:{n}', a: 1006, b: 7, filter: 'cmd:SET and key:k:*' }])
})

test('keyless, empty and one-line captures are compared too', () => {
  const one = sideOf(repeat('PING', 1), { seconds: 0.001 })
  const diff = compareSides(one, sideOf([]), 50)
  expect(shown(diff.shapes)).toEqual([['PING 0', 'onlyA', false]])
  expect(diff.keys.rows).toEqual([])
  expect(diff.caveats).toEqual([{ kind: 'empty', a: null, b: 'no lines' }])
  const empty = compareSides(sideOf([]), sideOf([]), 50)
  expect(empty.shapes.rows).toEqual([])
})

test('what makes two captures less comparable is said', () => {
  const a = sideOf(repeat('PING', 1), { capture: { filter: 'cmd:PING', status: 'running', lineCount: 5 } })
  const b = sideOf(repeat('PING', 1), {
    target: 't:2',
    capture: { policyLevel: 'none', policyRevision: 2, sampling: { every: 10, by: 'key' } },
  })
  expect(compareSides(a, b, 50).caveats).toEqual([
    { kind: 'policy', a: 'full (revision 1)', b: 'none (revision 2)' },
    { kind: 'filter', a: 'cmd:PING', b: null },
    { kind: 'sampling', a: null, b: '1 of 10 by key' },
    { kind: 'targets', a: 't:1', b: 't:2' },
    { kind: 'running', a: 'still running', b: null },
    { kind: 'uncounted', a: '4 lines are not counted yet', b: null },
  ])
})

test('a capture against itself is empty and says so', () => {
  const diff = sameCapture(sideOf(repeat('GET k:1', 10)))
  expect(diff).toMatchObject({ same: true, caveats: [], targets: [], a: { lines: 10, counted: 10 } })
  expect([diff.shapes.rows, diff.keys.rows, diff.sizes.rows]).toEqual([[], [], []])
})

const OTHER = { onlyA: 'onlyB', onlyB: 'onlyA', changed: 'changed' } as const

/** An answer with the logarithms of its ratios, which an exchange of sides negates; to 6 digits. */
const logarithmic = (diff: AnalysisDiff): unknown =>
  JSON.parse(JSON.stringify(diff), (name, value: unknown) =>
    name === 'ratio' && typeof value === 'number' ? Number(Math.log(value).toFixed(6)) : value,
  )

const mirrored = (diff: unknown): unknown =>
  JSON.parse(JSON.stringify(diff), (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('a' in value && 'b' in value)) return value
    const row = value as unknown as { a: unknown; b: unknown; change?: keyof typeof OTHER; ratio?: number | null }
    return {
      ...row,
      a: row.b,
      b: row.a,
      ...(row.change && { change: OTHER[row.change] }),
      ...(typeof row.ratio === 'number' && { ratio: 0 - row.ratio }),
    }
  })

test('an exchange of the sides exchanges them in the answer and changes nothing else', () => {
  const command = fc.constantFrom(
    'GET k:1',
    'GET k:a',
    'SET big:1 xxxxxxxxxxxxxxxxxxxxxx',
    'SET big:2 x',
    'PING',
    'MSET a 1 b 2',
  )
  const traffic = fc
    .array(fc.tuple(command, fc.nat(40)), { maxLength: 6 })
    .map((parts) => parts.flatMap(([each, times]) => repeat(each, times)))
  const side = fc.tuple(traffic, fc.integer({ min: 1, max: 50 }), fc.constantFrom('t:1', 't:2'))
  let found = 0
  fc.assert(
    fc.property(side, side, ([linesA, secondsA, targetA], [linesB, secondsB, targetB]) => {
      const a = sideOf(linesA, { seconds: secondsA, target: targetA })
      const b = sideOf(linesB, { seconds: secondsB, target: targetB })
      const [forth, back] = [compareSides(a, b, 50), compareSides(b, a, 50)]
      found += forth.shapes.rows.filter(({ change }) => change === 'changed').length
      expect(mirrored(logarithmic(forth))).toEqual(logarithmic(back))
    }),
    { numRuns: 100 },
  )
  expect(found).toBeGreaterThan(10)
})
