import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeArguments } from './argument.ts'
import { latin1Decode, latin1Encode } from './latin1.ts'
import { MonitorLine, type Dialect, type MonitorLineOptions } from './monitor-line.ts'
import { parseLineTime, parseMonitorLine } from './parse-line.ts'
import { printMonitorLine } from './print-line.ts'
import { LATEST_EVENT_US } from './read-header.ts'

const parse = (text: string, options: MonitorLineOptions = {}) => {
  const line = new MonitorLine(options)
  // Surrounded by bytes that would change the answer if they were read.
  const before = '9.9"'
  const bytes = latin1Encode(`${before}${text}"\\x41 "z"`)
  const error = parseMonitorLine(bytes, before.length, before.length + text.length, line)
  const args = error === null ? decodeArguments(line).map((argument) => argument && latin1Decode(argument)) : []
  return { error, eventUs: line.eventUs, db: line.db, source: line.source, args }
}

test('a line gives its time, db, source and arguments as ranges of the bytes', () => {
  const text = '1795251178.502434 [12 127.0.0.1:46696] "SeT" "k" ""'
  const bytes = latin1Encode(text)
  const line = new MonitorLine()
  expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBe(null)
  const part = (start: number, end: number) => text.slice(start, end)
  expect(part(line.tsStart, line.tsEnd)).toBe('1795251178.502434')
  expect(part(line.dbStart, line.dbEnd)).toBe('12')
  expect(part(line.srcStart, line.srcEnd)).toBe('127.0.0.1:46696')
  expect(line.argc).toBe(3)
  expect(part(line.ranges[0]!, line.ranges[1]!)).toBe('SeT')
  expect(part(line.ranges[2]!, line.ranges[3]!)).toBe('k')
  expect(line.ranges[5]! - line.ranges[4]!).toBe(0)
  expect(line.eventUs).toBe(1_795_251_178_502_434)
  expect([line.hasEscapes, line.isBinary, line.hasMasked]).toEqual([false, false, false])
})

test('the flags tell escapes from binary, and are those of the last line', () => {
  const line = new MonitorLine()
  const flagsOf = (args: string) => {
    const bytes = latin1Encode(`1.2 [0 a:1] ${args}`)
    expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBe(null)
    return [line.hasEscapes, line.isBinary, line.hasMasked]
  }
  expect(flagsOf(String.raw`"SET" "\xff"`)).toEqual([true, true, false])
  expect(flagsOf(String.raw`"SET" "\n"`)).toEqual([true, false, false])
  expect(flagsOf('"SET" ~3')).toEqual([false, false, true])
  expect(flagsOf('"SET" "~3"')).toEqual([false, false, false])
})

test.for<[string, Dialect, number]>([
  ['1795251178.482143 [0 a:1] "PING"', 'bracket', 1_795_251_178_482_143],
  ['1795251178.4821439 [0 a:1] "PING"', 'bracket', 1_795_251_178_482_143],
  ['1795251178.45 [0 a:1] "PING"', 'bracket', 1_795_251_178_450_000],
  ['1795251178.45 "PING"', 'paren', 1_795_251_178_000_045],
  ['1795251178.000045 "PING"', 'paren', 1_795_251_178_000_045],
  ['8993721599.999999 [0 a:1] "PING"', 'bracket', LATEST_EVENT_US],
  ['0.000000 [0 a:1] "PING"', 'bracket', 0],
])('the time of %j (%s) is %d us', ([text, dialect, eventUs]) => {
  expect(parse(text, { dialect })).toMatchObject({ error: null, eventUs, args: ['PING'] })
  const line = new MonitorLine({ dialect })
  expect(parseLineTime(latin1Encode(text), 0, text.length, line)).toBe(eventUs)
})

test.for(['', '+', 'OK', '123', '123.', '8993721600.000000 [0 a:1] "PING"', `${'9'.repeat(400)}.1 [0 a:1] "PING"`])(
  'the text %j has no time',
  (text) => {
    expect(parseLineTime(latin1Encode(text), 0, text.length, new MonitorLine())).toBe(-1)
    expect(parse(text).eventUs).toBe(-1)
  },
)

test.for<[string, string | null, Dialect]>([
  ['', 'empty', 'bracket'],
  ['+', 'no_header', 'bracket'],
  ['OK', 'no_header', 'bracket'],
  ['[ proxy ] OK', 'no_header', 'bracket'],
  ['"GET" "k"', 'no_header', 'bracket'],
  ['123', 'bad_time', 'bracket'],
  ['123 [0 a:1] "GET"', 'bad_time', 'bracket'],
  ['123. [0 a:1] "GET"', 'bad_time', 'bracket'],
  ['123.x [0 a:1] "GET"', 'bad_time', 'bracket'],
  ['8993721600.000000 [0 a:1] "GET"', 'bad_time', 'bracket'],
  ['1.2', 'no_header', 'bracket'],
  ['1.2 "GET" "k"', 'no_header', 'bracket'],
  ['1.2  [0 a:1] "GET"', 'no_header', 'bracket'],
  ['1.2 (db 9) "GET" "k"', 'no_header', 'bracket'],
  ['1.2 [ a:1] "GET"', 'no_header', 'bracket'],
  ['1.2 [0', 'no_closing_bracket', 'bracket'],
  ['1.2 [0 ', 'no_closing_bracket', 'bracket'],
  ['1.2 [0 a:1 "GET" "k"', 'no_closing_bracket', 'bracket'],
  ['1.2 [0 a:1 "GET" "x] "', 'no_closing_bracket', 'bracket'],
  ['1.2 [0 [::1]:1 GET', 'no_closing_bracket', 'bracket'],
  ['1.2 [0] "GET"', 'no_closing_bracket', 'bracket'],
  ['1.2 [0 a:1]', 'no_arguments', 'bracket'],
  ['1.2 [0 a:1] ', 'no_arguments', 'bracket'],
  ['1.2 [0 a:1] GET k', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] GET "k"', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1]  "GET"', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "GET" k', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "GET"  "k"', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "GET" ', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "GET""k"', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "GET"k', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] ~3', 'unquoted_argument', 'bracket'],
  ['1.2 [0 a:1] "', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "k', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "k\\', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "k\\"', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "k\\x', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "k\\x4', 'unterminated_quote', 'bracket'],
  ['1.2 [0 a:1] "GET" "\\q"', 'bad_escape', 'bracket'],
  ['1.2 [0 a:1] "GET" "\\v"', 'bad_escape', 'bracket'],
  ['1.2 [0 a:1] "GET" "\\X41"', 'bad_escape', 'bracket'],
  ['1.2 [0 a:1] "GET" "\\xAB"', 'bad_escape', 'bracket'],
  ['1.2 [0 a:1] "GET" "\\x4"', 'bad_escape', 'bracket'],
  ['1.2', 'no_arguments', 'paren'],
  ['1.2 ', 'no_arguments', 'paren'],
  ['1.2 (db 9)', 'no_arguments', 'paren'],
  ['1.2 (db 9) ', 'no_arguments', 'paren'],
  ['1.2 (db 9', 'no_closing_bracket', 'paren'],
  ['1.2 (db x) "GET"', 'no_header', 'paren'],
  ['1.2 (x 9) "GET"', 'no_header', 'paren'],
  ['1.2"GET"', 'no_header', 'paren'],
  ['1.2 [0 a:1] "GET"', 'no_header', 'paren'],
  ['1.2 GET', 'unquoted_argument', 'paren'],
  ['1.2 (db 9)"GET"', 'unquoted_argument', 'paren'],
])('the line %j is %s (%s)', ([text, error, dialect]) => {
  expect(parse(text, { dialect }).error).toBe(error)
})

test.for([
  ['~0', true],
  ['~12:0123456789abcdef', true],
  ['~', false],
  ['~12:', false],
  ['~12:0123456789abcde', false],
  ['~12:0123456789abcdef0', false],
  ['~12:0123456789ABCDEF', false],
  ['~1x', false],
] as const)('the mask %s is accepted in stored lines: %s; never from a socket', ([mask, isAccepted]) => {
  for (const text of [`1.2 [0 a:1] "SET" "k" ${mask}`, `1.2 [0 a:1] "SET" ${mask} "v"`]) {
    const { error, args } = parse(text)
    expect(error).toBe(isAccepted ? null : 'unquoted_argument')
    expect(args.filter((argument) => argument === null)).toHaveLength(isAccepted ? 1 : 0)
    expect(parse(text, { masked: false }).error).toBe('unquoted_argument')
  }
})

test('a printed line parses to what was printed, in both dialects', () => {
  const argument = fc.uint8Array({ maxLength: 20 })
  const eventUs = fc.integer({ min: 0, max: LATEST_EVENT_US })
  const source = fc.constantFrom('lua', '', '?:0', '[fe80::1%eth0]:6379', 'unix:/run/a b] x].sock', '10.0.0.1:1')
  const db = fc.nat(9999).map(String)
  fc.assert(
    fc.property(eventUs, db, source, fc.array(argument, { minLength: 1 }), (time, number, origin, args) => {
      const texts = args.map((bytes) => latin1Decode(bytes))
      const bracket = latin1Decode(printMonitorLine({ eventUs: time, db: number, source: origin, args }))
      expect(parse(bracket)).toEqual({ error: null, eventUs: time, db: number, source: origin, args: texts })
      const printed = printMonitorLine({ eventUs: time, db: number, source: null, args, dialect: 'paren' })
      expect(parse(`+${latin1Decode(printed)}`, { dialect: 'paren' })).toEqual({
        error: null,
        eventUs: time,
        db: number,
        source: null,
        args: texts,
      })
    }),
  )
})

test('any text gets an answer without reading beyond its end', () => {
  const piece = fc.constantFrom('1', '.', ' ', '[', ']', '"', '\\', 'x', 'n', '~', 'a', '0', '(db ', ')', '+', '] "')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom<Dialect>('bracket', 'paren'), (pieces, dialect) => {
      const text = `1.2${pieces.join('')}`
      const alone = new MonitorLine({ dialect })
      const bytes = latin1Encode(text)
      expect(parse(text, { dialect }).error).toBe(parseMonitorLine(bytes, 0, bytes.length, alone))
    }),
    { numRuns: 3000 },
  )
})
