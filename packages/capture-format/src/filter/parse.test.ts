import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FilterError, type Filter, type FilterTerm } from './filter.ts'
import { parseFilter } from './parse.ts'
import { printFilter } from './print.ts'

const problemOf = (text: string): string => {
  try {
    parseFilter(text)
  } catch (error) {
    if (error instanceof FilterError) return error.message
    throw error
  }
  return 'taken'
}

const key = (glob: string): FilterTerm => ({ kind: 'key', glob })
const cmd = (verb: string, subcommand: string | null = null): FilterTerm => ({ kind: 'cmd', verb, subcommand })
const MAX = Number.MAX_SAFE_INTEGER

describe('terms', () => {
  test.each<[string, Filter]>([
    ['cmd:get', cmd('GET')],
    ['CMD:Client|List', cmd('CLIENT', 'LIST')],
    ['cmd:json.set', cmd('JSON.SET')],
    ['cmd:@Write', { kind: 'category', name: 'write' }],
    ['key:user:*', key('user:*')],
    ['key:""', key('')],
    ['key:"a b\\"\\\\*\\x00\\n"', key('a b"\\*\x00\n')],
    ['key:a\\*b', key('a\\*b')],
    ['key:é', key('\xc3\xa9')],
    ['key:"é\\xff"', key('\xc3\xa9\xff')],
    ['arg:v*', { kind: 'arg', index: null, glob: 'v*' }],
    ['arg2:[a-z]', { kind: 'arg', index: 2, glob: '[a-z]' }],
    ['client:lua', { kind: 'client', text: 'lua' }],
    ['client:[::1]:6379', { kind: 'client', text: '[::1]:6379' }],
    ['client:unix:/run/a', { kind: 'client', text: 'unix:/run/a' }],
    ['client:10.0.0.0/8', { kind: 'network', cidr: '10.0.0.0/8' }],
    ['client:FD00::/8', { kind: 'network', cidr: 'fd00::/8' }],
    ['client:"10.0.0.0/8"', { kind: 'client', text: '10.0.0.0/8' }],
    ['db:3', { kind: 'db', from: 3, to: 3 }],
    ['db:0..3', { kind: 'db', from: 0, to: 3 }],
    ['db:2..', { kind: 'db', from: 2, to: 2 ** 31 - 1 }],
    ['db:tenant', { kind: 'namespace', name: 'tenant' }],
    ['db:"0"', { kind: 'namespace', name: '0' }],
    ['segment:1', { kind: 'segment', from: 1, to: 1 }],
    ['slot:..5460', { kind: 'slot', from: 0, to: 5460 }],
    ['time:5..7', { kind: 'time', from: 5, to: 7 }],
    ['time:5..', { kind: 'time', from: 5, to: MAX }],
    ['time:..2026-01-01T00:00:00Z', { kind: 'time', from: 0, to: 1_767_225_600_000_000 }],
    [
      'time:2026-01-01T01:00+01:00..2026-01-01T00:00:00.000001z',
      { kind: 'time', from: 1_767_225_600_000_000, to: 1_767_225_600_000_001 },
    ],
    ['masked:yes', { kind: 'masked', is: true }],
    ['error:no', { kind: 'error', is: false }],
  ])('%s', (text, filter) => {
    expect(parseFilter(text)).toEqual(filter)
    expect(parseFilter(printFilter(filter))).toEqual(filter)
  })
})

test.each(['', ' ', '\t\n '])('%j is no filter', (text) => {
  expect(parseFilter(text)).toBeNull()
})

test('"not" binds closest, then "and" or nothing between, then "or"', () => {
  const [a, b, c] = [key('a'), key('b'), key('c')]
  expect(parseFilter('key:a key:b or not key:c')).toEqual({
    kind: 'or',
    of: [
      { kind: 'and', of: [a, b] },
      { kind: 'not', of: c },
    ],
  })
  expect(parseFilter(' key:a AND(key:b Or key:c) ')).toEqual({ kind: 'and', of: [a, { kind: 'or', of: [b, c] }] })
  expect(parseFilter('not(key:a)key:b')).toEqual({ kind: 'and', of: [{ kind: 'not', of: a }, b] })
  expect(parseFilter('not not key:or')).toEqual({ kind: 'not', of: { kind: 'not', of: key('or') } })
})

test.each([
  ['GET', 'column 1: expected a term such as cmd:GET or key:user:*, got "GET"'],
  ['key:a foo:b', 'column 7: there is no term "foo"; the terms are cmd, key, client'],
  ['name:x', 'column 1: there is no term "name"'],
  ['key:', 'column 5: expected a value right behind "key:"'],
  ['key: a', 'column 5: expected a value right behind "key:"'],
  ['(key:a', 'column 7: expected ")" for the "(" at column 1'],
  ['key:a)', 'column 6: this ")" closes nothing'],
  ['()', 'column 2: expected a term such as cmd:GET or key:user:*, got ")"'],
  ['key:a and', 'column 10: expected a term such as cmd:GET or key:user:*, got the end'],
  ['or key:a', 'column 1: expected a term such as cmd:GET or key:user:*, got "or"'],
  ['key:a or and key:b', 'column 10: expected a term'],
  ['not', 'column 4: expected a term such as cmd:GET or key:user:*, got the end'],
  ['key:é 😀 x', 'column 7: expected a term such as cmd:GET or key:user:*, got "😀"'],
  ['key:"é😀" x', 'column 10: expected a term'],
  ['key:"a', 'column 5: this quote is not closed'],
  ['key:"a"b', 'column 8: expected a space behind the quote'],
  ['key:a"b"', 'column 6: expected a space; a value that holds " must be in quotes'],
  ['key:f(x)', 'column 6: expected a space; a value that holds ( must be in quotes'],
  ['key:"\\*"', 'column 6: expected one of \\\\ \\" \\n \\r \\t \\a \\b \\xHH'],
  ['key:"\\x0"', 'column 6: expected one of'],
  ['key:[a', 'column 5: the class that begins with "[" has no "]"'],
  ['arg:a\\', 'column 5: the pattern ends in a "\\"'],
  [`key:${'k'.repeat(129)}`, 'column 5: the value has 129 bytes, 128 are allowed'],
  [`key:${'*'.repeat(2000)}`, 'column 5: the value has 2000 bytes, 128 are allowed'],
  ['arg0:a', 'column 1: arguments are counted from 1; the command itself is cmd'],
  ['cmd:h*', 'column 5: a command is named whole'],
  ['cmd:a|b|c', 'column 5: expected a command'],
  ['cmd:|list', 'column 5: expected a command'],
  ['cmd:@', 'column 5: there is no category of this name; they are @admin @bitmap'],
  ['client:""', 'column 8: expected a part of a client address'],
  ['client:10.0.0.300/8', 'column 8: expected a network'],
  ['client:10.0.0.0/33', 'column 8: expected a network'],
  ['client:::/129', 'column 8: expected a network'],
  ['db:-1', 'taken'],
  ['db:1..x', 'column 4: expected a number or a range from 0 to 2147483647, as in db:3 or db:0..3'],
  ['db:4..3', 'column 4: the range ends (3) before it begins (4)'],
  ['slot:16384', 'column 6: the largest slot is 16383'],
  ['slot:..', 'column 6: expected a number or a range'],
  ['segment:a', 'column 9: expected a number or a range'],
  ['time:5', 'column 6: expected time:FROM..TO'],
  ['time:..', 'column 6: expected time:FROM..TO'],
  ['time:1..2..3', 'column 6: expected time:FROM..TO'],
  ['time:yesterday..', 'column 6: expected a time in microseconds since 1970, or ISO 8601 with a zone'],
  ['time:5..2026-01-01T00:00:00', 'column 9: expected a time'],
  ['time:5..2026-02-30T00:00:00Z', 'column 9: expected a time'],
  ['time:5..9007199254740992', 'column 9: expected a time'],
  ['time:7..5', 'column 6: the time range ends before it begins'],
  ['masked:maybe', 'column 8: expected masked:yes or masked:no'],
  [`${'('.repeat(33)}key:a${')'.repeat(33)}`, 'column 33: "(" and "not" are nested deeper than 32'],
  [`${'not '.repeat(33)}key:a`, 'column 129: "(" and "not" are nested deeper than 32'],
  [`${'('.repeat(32)}key:a${')'.repeat(32)}`, 'taken'],
  ['key:a '.repeat(65), 'column 385: this is term 65, 64 are allowed'],
  ['key:a '.repeat(64), 'taken'],
  ['('.repeat(10_000), 'column 4097: the filter has 10000 characters, 4096 are allowed'],
])('%.40j: %s', (text, problem) => {
  expect(problemOf(text)).toContain(problem)
})

const range = (max: number) =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
const bytes = (constraints: { minLength?: number; maxLength: number }) =>
  fc.oneof(
    fc.uint8Array(constraints).map((part) => String.fromCharCode(...part)),
    fc.stringMatching(/^[a-z:.*?/()" ]{1,12}$/),
    fc.constantFrom('é', 'or', 'not', '10.0.0.0/8', '0..3').map((text) => Buffer.from(text).toString('latin1')),
  )
const glob = bytes({ maxLength: 20 }).map((text) => text.replaceAll(/[[\\]/g, '?'))
const term: fc.Arbitrary<FilterTerm> = fc.oneof(
  fc.record({
    kind: fc.constant('cmd' as const),
    verb: fc.stringMatching(/^[A-Z.\xff"(]{1,8}$/),
    subcommand: fc.option(fc.stringMatching(/^[A-Z-]{1,8}$/)),
  }),
  fc.constantFrom('read', 'write').map((name) => ({ kind: 'category' as const, name })),
  glob.map(key),
  fc.record({ kind: fc.constant('arg' as const), index: fc.option(fc.integer({ min: 1, max: 9999 })), glob }),
  bytes({ minLength: 1, maxLength: 20 }).map((text) => ({ kind: 'client' as const, text })),
  fc.constantFrom('10.0.0.0/8', 'fd00::/7').map((cidr) => ({ kind: 'network' as const, cidr })),
  bytes({ minLength: 1, maxLength: 20 }).map((name) => ({ kind: 'namespace' as const, name })),
  range(2 ** 31 - 1).map((each) => ({ kind: 'db' as const, ...each })),
  range(2 ** 31 - 1).map((each) => ({ kind: 'segment' as const, ...each })),
  range(16_383).map((each) => ({ kind: 'slot' as const, ...each })),
  range(2 ** 31 - 1).map(({ from }) => ({ kind: 'time' as const, from, to: MAX })),
  range(2 ** 31 - 1).map((each) => ({ kind: 'time' as const, ...each })),
  fc.record({ kind: fc.constantFrom('masked' as const, 'error' as const), is: fc.boolean() }),
)
const { filter } = fc.letrec<{ filter: Filter; many: Filter[] }>((tie) => ({
  many: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
  filter: fc.oneof(
    { depthSize: 'small' },
    term,
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), of: tie('many') }),
    fc.record({ kind: fc.constant('not' as const), of: tie('filter') }),
  ),
}))

test('what is printed is read as the same filter', () => {
  fc.assert(
    fc.property(filter, (each) => {
      const text = printFilter(each)
      // What is too long or has too many terms is refused, and that is another test's.
      fc.pre(text.length <= 4096 && (text.match(/:/g) ?? []).length <= 64)
      expect(parseFilter(text)).toEqual(each)
    }),
    { numRuns: 3000 },
  )
})

test('any text is a filter or a problem with a column', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(fc.constantFrom('(', ')', ' ', 'not', 'and', 'or', 'key:', 'a', '"', '\\', 'time:', '..', '1', '[', '*'), {
        maxLength: 30,
      })
      .map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (each) => {
      const problem = problemOf(each)
      expect(problem === 'taken' || /^column \d+: \S/.test(problem)).toBe(true)
    }),
    { numRuns: 5000 },
  )
})
