import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileFilter, parseFilter, type Filter } from '../filter/index.ts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { printMonitorLine } from '../print-line.ts'
import { decodeSummary, encodeSummary } from './codec.ts'
import { judgeSummary, mayMatchSegment, timeRangeOf } from './judge.ts'
import { requiredTexts } from './required-texts.ts'
import { summarizeLines } from './summarizer.ts'

const SEGMENT = { segmentNo: 2 }
const chunkOf = (lines: string[]): Uint8Array => latin1Encode(lines.map((line) => `${line}\n`).join(''))
const summarize = (lines: string[], hasCutLine = false) =>
  summarizeLines(chunkOf(lines), { dialect: 'bracket', hasCutLine })

/** How many of the lines the filter matches, each read by itself. */
const countMatches = (filter: Filter, lines: string[], hasCutLine: boolean): number => {
  const isWanted = compileFilter(filter, SEGMENT)
  const line = new MonitorLine()
  return lines.filter((text, index) => {
    const bytes = latin1Encode(text)
    const error = parseMonitorLine(bytes, 0, bytes.length, line)
    return isWanted(line, hasCutLine && index === lines.length - 1 ? 'cut' : error)
  }).length
}

const part = fc.constantFrom('user:', 'a', '1', ':', '\n', '\xff', '"', '\\', 'x'.repeat(40))
const argument = fc.array(part, { maxLength: 5 }).map((parts) => latin1Encode(parts.join('')))
const printed = fc
  .record({
    eventUs: fc.nat(20),
    db: fc.constantFrom('0', '1', '15', 'ns'),
    source: fc.constantFrom('10.0.0.1:10', '192.168.0.1:1', 'lua', '', '[::1]:1', 'unix:/x y'),
    verb: fc.oneof(fc.constantFrom('get', 'GET', 'Mset', 'client', 'del', 'nosuch'), fc.string({ minLength: 1 })),
    rest: fc.array(argument, { maxLength: 4 }),
  })
  .map(({ verb, rest, ...head }) => latin1Decode(printMonitorLine({ ...head, args: [encode(verb), ...rest] })))
const odd = fc.constantFrom(
  '',
  'no line',
  '1.2 [0 a:1',
  '1.2 [0 a:1] "GET" "k',
  '1.3 [0 a:1] "GET" ~3:0123456789abcdef',
  '1.4 [0 a:1] "SET" "user:"~2:0123456789abcdef ~1',
  '1.5 [0 a:1] "\\x47ET" "user:\\x31"',
  'x.5 [0 a:1] "GET" "k"',
)
const lines = fc.array(fc.oneof({ weight: 4, arbitrary: printed }, odd), { minLength: 1, maxLength: 12 })
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const range = (max: number) =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
const glob = fc
  .array(fc.constantFrom('user:', 'a', '1', ':', '\xff', '*', '?', '[a1]', '[^a-]]', '\\*'), { maxLength: 4 })
  .map((parts) => parts.join(''))
const term: fc.Arbitrary<Filter> = fc.oneof(
  fc.constantFrom('GET', 'DEL', 'NOSUCH', 'PING').map((verb) => ({ kind: 'cmd' as const, verb, subcommand: null })),
  fc.constant({ kind: 'cmd' as const, verb: 'CLIENT', subcommand: 'A' }),
  fc.constantFrom('read', 'write', 'connection').map((name) => ({ kind: 'category' as const, name })),
  glob.map((each) => ({ kind: 'key' as const, glob: each })),
  fc.record({ kind: fc.constant('arg' as const), index: fc.option(fc.integer({ min: 1, max: 3 })), glob }),
  fc.constantFrom('10.', ':1', 'lua', 'x').map((text) => ({ kind: 'client' as const, text })),
  fc.constant({ kind: 'network' as const, cidr: '10.0.0.0/8' }),
  fc.constantFrom('1', 'ns').map((name) => ({ kind: 'namespace' as const, name })),
  range(16).map((each) => ({ kind: 'db' as const, ...each })),
  range(4).map((each) => ({ kind: 'segment' as const, ...each })),
  range(22).map((each) => ({ kind: 'time' as const, ...each })),
  range(16_383).map((each) => ({ kind: 'slot' as const, ...each })),
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

test('what a summary is certain of holds for the lines, whatever lines and filter', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(lines, fc.boolean(), filter, (each, hasCutLine, wanted) => {
      const verdict = judgeSummary(summarize(each, hasCutLine), wanted, SEGMENT)
      seen.add(verdict)
      const matches = countMatches(wanted, each, hasCutLine)
      if (verdict === 'none') expect(matches).toBe(0)
      if (verdict === 'all') expect(matches).toBe(each.length)
    }),
    { numRuns: 5000 },
  )
  expect(seen).toEqual(new Set(['none', 'some', 'all']))
})

test('a summary is read back as it was written', () => {
  fc.assert(
    fc.property(lines, fc.boolean(), (each, hasCutLine) => {
      const summary = summarize(each, hasCutLine)
      expect(decodeSummary(encodeSummary(summary))).toEqual(summary)
    }),
  )
})

test('counts are those of the lines', () => {
  const each = [
    '1.000005 [0 a:1] "GET" "user:1"',
    '1.000003 [1 a:1] "get" ~3:0123456789abcdef',
    'garbage',
    '1.000009 [0 b:2] "\\x47ET" "k"',
    '1.000007 [0 b:2] "SET" "k',
  ]
  expect(summarize(each, true)).toMatchObject({
    lines: 5,
    firstEventUs: 1_000_003,
    lastEventUs: 1_000_009,
    untimed: 1,
    masked: 1,
    errors: 1,
    keyed: 1,
    verbs: new Map([
      ['GET', 2],
      ['SET', 1],
    ]),
    otherVerbs: 1,
    clients: ['a:1', 'b:2'],
    dbs: ['0', '1', ''],
  })
})

test('bytes of another origin make a typed error or a summary, and nothing else', () => {
  const good = encodeSummary(summarize(['1.5 [0 a:1] "GET" "user:1"', 'x']))
  const change = fc.record({
    at: fc.nat(good.length - 1),
    byte: fc.nat(255),
    length: fc.integer({ min: 1, max: good.length + 3 }),
  })
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.of(1, ...bytes)),
    change.map(({ at, byte, length }) => {
      const bytes = new Uint8Array(length)
      bytes.set(good.subarray(0, length))
      if (at < length) bytes[at] = byte
      return bytes
    }),
  )
  let refused = 0
  fc.assert(
    fc.property(hostile, (bytes) => {
      try {
        const summary = decodeSummary(bytes)
        if (summary) expect(decodeSummary(encodeSummary(summary))).toEqual(summary)
      } catch (error) {
        refused += 1
        expect(error).toMatchObject({ code: 'chunk.malformed' })
      }
    }),
    { numRuns: 3000 },
  )
  expect(refused).toBeGreaterThan(100)
  expect(decodeSummary(new Uint8Array(0))).toBeUndefined()
  expect(decodeSummary(Uint8Array.of(2, 1, 2, 3))).toBeUndefined()
})

const mixed = (count: number, keys: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const key = `user:${(index * 7919) % keys}:profile`
    return `1795500000.${String(index % 1e6).padStart(6, '0')} [0 10.0.0.${index % 9}:50123] "${index % 4 === 0 ? 'SET' : 'GET'}" "${key}"`
  })

test('the summary of a full chunk stays below 2 KiB, and its keys are told apart', () => {
  const summary = summarize(mixed(5000, 2500))
  expect(encodeSummary(summary).length).toBeLessThan(2048)
  const absent = Array.from({ length: 1000 }, (_, index) => `user:${2500 + index}:profile`)
  const wrong = absent.filter((key) => judgeSummary(summary, { kind: 'key', glob: key }, SEGMENT) !== 'none')
  expect(wrong.length).toBeLessThan(400)
})

test('a line that a filter matches has one of its required texts, or a byte that is written as a number', () => {
  let withTexts = 0
  fc.assert(
    fc.property(printed, filter, (text, wanted) => {
      const texts = requiredTexts(wanted)
      if (texts === null || countMatches(wanted, [text], false) === 0) return
      withTexts += 1
      expect(text.includes('\\x') || texts.some((each) => text.includes(latin1Decode(each)))).toBe(true)
    }),
    { numRuns: 20_000 },
  )
  expect(withTexts).toBeGreaterThan(100)
})

test('required texts are the longest plain parts', () => {
  const of = (text: string) => requiredTexts(parseFilter(text)!)?.map((bytes) => latin1Decode(bytes)) ?? null
  expect(of('key:user:*:profile')).toEqual([':profile'])
  expect(of('cmd:GET key:abc* client:10.0.0.1')).toEqual(['10.0.0.1'])
  expect(of('key:abc* or key:[a-z]de\\*f')).toEqual(['abc', 'de*f'])
  expect(of('key:abc* or cmd:GET')).toBeNull()
  expect(of('not key:abc*')).toBeNull()
  expect(of('key:*')).toBeNull()
})

test('a filter bounds the times and the segments of its matches', () => {
  const times = (text: string) => timeRangeOf(parseFilter(text)!)
  expect(times('time:5..10 cmd:GET time:7..20')).toEqual({ from: 7, to: 10 })
  expect(times('time:5..10 or time:7..20')).toEqual({ from: 5, to: 20 })
  expect(times('time:5..10 or cmd:GET')).toBeNull()
  expect(times('not time:5..10')).toBeNull()
  const may = (text: string) => mayMatchSegment(parseFilter(text)!, 2)
  expect([may('segment:2'), may('segment:3'), may('not segment:2'), may('segment:3 or cmd:GET')]).toEqual([
    true,
    false,
    false,
    true,
  ])
})
