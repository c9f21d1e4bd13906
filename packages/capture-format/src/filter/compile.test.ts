import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashSlot } from '../hash-slot.ts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { LineErrorKind, MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { printMonitorLine } from '../print-line.ts'
import { compileFilter } from './compile.ts'
import type { Filter } from './filter.ts'
import { parseFilter } from './parse.ts'

const decide = (filter: string, stored: string, error: LineErrorKind | null = null): boolean => {
  const line = new MonitorLine()
  const bytes = latin1Encode(stored)
  const found = parseMonitorLine(bytes, 0, bytes.length, line)
  return compileFilter(parseFilter(filter)!, { segmentNo: 2 })(line, error ?? found)
}

const GET = '1.000005 [3 10.1.2.3:50000] "gEt" "user:1\\n"'
const V6 = '1.000005 [0 [fd00::1:2]:6379] "client" "LIST" "type"'
const MASKED = '1.000005 [ns lua] "SET" "k" ~5:0123456789abcdef "EX"'
const BROKEN = '1.000005 [0 1.2.3.4:5] "GET" "k\\q"'

test.each([
  ['cmd:get', GET, true],
  ['cmd:GETEX', GET, false],
  ['cmd:client', V6, true],
  ['cmd:client|list', V6, true],
  ['cmd:client|info', V6, false],
  ['cmd:client|list', GET, false],
  ['cmd:@read', GET, true],
  ['cmd:@write', GET, false],
  ['cmd:@admin', V6, true],
  ['cmd:@admin', '1.0 [0 a:1] "CLIENT" "INFO"', false],
  ['cmd:@slow', '1.0 [0 a:1] "command"', true],
  ['cmd:@write', '1.0 [0 a:1] "NOBODYS.COMMAND" "k"', false],
  ['key:user:*', GET, true],
  ['key:user:1', GET, false],
  ['key:"user:1\\n"', GET, true],
  ['key:*', '1.0 [0 a:1] "PING" "x"', false],
  ['key:dst', '1.0 [0 a:1] "BITOP" "AND" "dst" "a"', true],
  ['key:AND', '1.0 [0 a:1] "BITOP" "AND" "dst" "a"', false],
  ['key:b', '1.0 [0 a:1] "DEL" "a" "b"', true],
  ['arg:b', '1.0 [0 a:1] "DEL" "a" "b"', true],
  ['arg1:b', '1.0 [0 a:1] "DEL" "a" "b"', false],
  ['arg2:b', '1.0 [0 a:1] "DEL" "a" "b"', true],
  ['arg3:*', '1.0 [0 a:1] "DEL" "a" "b"', false],
  ['arg:DEL', '1.0 [0 a:1] "DEL" "a" "b"', false],
  ['client:10.1.2', GET, true],
  ['client:LUA', MASKED, false],
  ['client:lua', MASKED, true],
  ['client:10.0.0.0/8', GET, true],
  ['client:10.1.2.3/32', GET, true],
  ['client:10.1.2.2/31', GET, true],
  ['client:10.1.2.4/31', GET, false],
  ['client:0.0.0.0/0', GET, true],
  ['client:0.0.0.0/0', V6, false],
  ['client:0.0.0.0/0', MASKED, false],
  ['client:fd00::/8', V6, true],
  ['client:fd00::1:2/128', V6, true],
  ['client:fe00::/8', V6, false],
  ['client:10.0.0.0/8', '1.0 [0 [::ffff:10.0.0.1]:1] "GET" "k"', true],
  ['client:0.0.0.0/0', '1.0 [0 unix:/run/1.2.3.4:55] "GET" "k"', false],
  ['client:unix:/run', '1.0 [0 unix:/run/a b] "GET" "k"', true],
  ['db:3', GET, true],
  ['db:0..2', GET, false],
  ['db:3..', GET, true],
  ['db:ns', MASKED, true],
  ['db:0..', MASKED, false],
  ['segment:2', GET, true],
  ['segment:0..1', GET, false],
  ['time:1000005..1000005', GET, true],
  ['time:1000006..', GET, false],
  ['time:..1000004', GET, false],
  ['slot:12182', '1.0 [0 a:1] "GET" "foo"', true],
  ['slot:12182', '1.0 [0 a:1] "GET" "{foo}bar"', true],
  ['slot:0..', '1.0 [0 a:1] "PING"', false],
  ['masked:yes', MASKED, true],
  ['masked:no', GET, true],
  ['arg2:*', MASKED, false],
  ['arg3:EX', MASKED, true],
  ['error:yes', BROKEN, true],
  ['error:no', BROKEN, false],
  ['error:yes', GET, false],
  ['cmd:get', BROKEN, true],
  ['key:*', BROKEN, false],
  ['error:yes', '', true],
  ['not cmd:get', '', true],
  ['db:0', 'garbage', false],
  ['cmd:get key:user:* not client:lua', GET, true],
  ['cmd:set or key:user:*', GET, true],
  ['not (cmd:get or cmd:set)', GET, false],
])('%s against %s is %j', (filter, stored, wanted) => {
  expect(decide(filter, stored)).toBe(wanted)
})

test('a line that is cut is no error, and what is left of it counts', () => {
  expect(decide('error:yes', '1.0 [0 a:1] "DEL" "a" "b', LineErrorKind.cut)).toBe(false)
  expect(decide('key:a', '1.0 [0 a:1] "DEL" "a" "b', LineErrorKind.cut)).toBe(true)
  expect(decide('key:b', '1.0 [0 a:1] "DEL" "a" "b', LineErrorKind.cut)).toBe(false)
})

test('dialects that leave the db and the client out: the db is 0, and no client matches', () => {
  const line = new MonitorLine({ dialect: 'paren' })
  const bytes = latin1Encode('1.45 "get" "k"')
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  const is = (filter: string): boolean => compileFilter(parseFilter(filter)!, { segmentNo: 0 })(line, error)
  expect([is('db:0'), is('db:1'), is('client:1'), is('client:0.0.0.0/0'), is('cmd:get')]).toEqual([
    true,
    false,
    false,
    false,
    true,
  ])
})

interface DecodedLine {
  eventUs: number
  db: string
  source: string
  args: Uint8Array[]
}

const naiveGlob = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return naiveGlob(pattern.slice(1), text) || (text !== '' && naiveGlob(pattern, text.slice(1)))
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && naiveGlob(pattern.slice(1), text.slice(1))
}

/** The meaning of a filter, on decoded strings. */
const naive = (filter: Filter, line: DecodedLine): boolean => {
  const texts = line.args.map((each) => latin1Decode(each))
  const [verb = '', ...rest] = texts
  const name = verb.toUpperCase()
  const keys = rest.length === 0 || name === 'PING' ? [] : name === 'DEL' ? rest : rest.slice(0, 1)
  switch (filter.kind) {
    case 'and':
      return filter.of.every((each) => naive(each, line))
    case 'or':
      return filter.of.some((each) => naive(each, line))
    case 'not':
      return !naive(filter.of, line)
    case 'cmd':
      return name === filter.verb && (filter.subcommand === null || rest[0]?.toUpperCase() === filter.subcommand)
    case 'category':
      return filter.name === (name === 'GET' ? 'read' : name === 'DEL' ? 'write' : 'connection')
    case 'key':
      return keys.some((each) => naiveGlob(filter.glob, each))
    case 'slot':
      return keys.map((each) => hashSlot(latin1Encode(each))).some((slot) => slot >= filter.from && slot <= filter.to)
    case 'arg':
      return (filter.index === null ? rest : rest.slice(filter.index - 1, filter.index)).some((each) =>
        naiveGlob(filter.glob, each),
      )
    case 'client':
      return line.source.includes(filter.text)
    case 'network':
      return line.source.startsWith('10.')
    case 'namespace':
      return line.db === filter.name
    case 'db':
      return Number(line.db) >= filter.from && Number(line.db) <= filter.to
    case 'segment':
      return filter.from <= 2 && filter.to >= 2
    case 'time':
      return line.eventUs >= filter.from && line.eventUs <= filter.to
    case 'masked':
    case 'error':
      return !filter.is
  }
}

test('the compiled filter decides as its meaning on decoded lines', () => {
  const range = fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
  const glob = fc
    .array(fc.constantFrom('a', 'b', '\n', '\xff', '"', '*', '?'), { maxLength: 5 })
    .map((parts) => parts.join(''))
  const term: fc.Arbitrary<Filter> = fc.oneof(
    fc.constantFrom('GET', 'PING', 'DEL').map((verb) => ({ kind: 'cmd' as const, verb, subcommand: null })),
    fc.constantFrom('A', 'B').map((subcommand) => ({ kind: 'cmd' as const, verb: 'DEL', subcommand })),
    fc.constantFrom('read', 'write', 'connection').map((name) => ({ kind: 'category' as const, name })),
    glob.map((each) => ({ kind: 'key' as const, glob: each })),
    fc.record({ kind: fc.constant('arg' as const), index: fc.option(fc.integer({ min: 1, max: 3 })), glob }),
    fc.constantFrom('10.', ':1', 'lua', 'x').map((text) => ({ kind: 'client' as const, text })),
    fc.constant({ kind: 'network' as const, cidr: '10.0.0.0/8' }),
    fc.constantFrom('1', 'ns').map((name) => ({ kind: 'namespace' as const, name })),
    range.map((each) => ({ kind: 'db' as const, ...each })),
    range.map((each) => ({ kind: 'segment' as const, ...each })),
    range.map((each) => ({ kind: 'time' as const, ...each })),
    fc.constantFrom(4096, 8192).map((to) => ({ kind: 'slot' as const, from: 0, to })),
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
  const argument = fc
    .array(fc.constantFrom('a', 'b', '\n', '\xff', '"', '\0', '\\'), { maxLength: 5 })
    .map((parts) => latin1Encode(parts.join('')))
  const decoded = fc.record({
    eventUs: fc.nat(4),
    db: fc.constantFrom('0', '1', '2', '3', 'ns'),
    source: fc.constantFrom('10.0.0.1:10', '192.168.0.1:1', 'lua', '', '[::1]:1', 'unix:/x y'),
    verb: fc.constantFrom('get', 'GET', 'Ping', 'del'),
    rest: fc.array(argument, { maxLength: 3 }),
  })
  // One line object for all, as a reader has it: nothing of a line may stay for the next.
  const line = new MonitorLine()
  fc.assert(
    fc.property(filter, fc.array(decoded, { minLength: 1, maxLength: 5 }), (each, lines) => {
      const isWanted = compileFilter(each, { segmentNo: 2 })
      for (const { verb, rest, ...head } of lines) {
        const printable = { ...head, args: [latin1Encode(verb), ...rest] }
        const bytes = printMonitorLine(printable)
        const error = parseMonitorLine(bytes, 0, bytes.length, line)
        expect(isWanted(line, error)).toBe(naive(each, printable))
      }
    }),
    { numRuns: 5000 },
  )
})

test('the largest filter of the worst patterns takes a line of a MiB in bounded time', () => {
  const stored = `1.0 [0 a:1] "DEL" "${'a'.repeat(2 ** 20)}"`
  const text = Array.from({ length: 30 }, () => `arg:*${'a'.repeat(120)}b`).join(' or ')
  expect(text.length).toBeLessThanOrEqual(4096)
  const from = performance.now()
  expect(decide(text, stored)).toBe(false)
  // About 0.3 s here.
  expect(performance.now() - from).toBeLessThan(3000)
})
