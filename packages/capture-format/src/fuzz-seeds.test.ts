import { describe, expect, test } from 'vitest'
import { collectScan } from './collect-scan.ts'
import { latin1Encode } from './latin1.ts'
import type { MonitorScannerOptions } from './monitor-scanner.ts'

type Options = Omit<MonitorScannerOptions, 'sink'>
const raw = String.raw
const H = '1.000002 [0 1.2.3.4:5] '
const GET = `${H}"GET" "k"`
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
const hex = (code: number) => `\\x${code.toString(16).padStart(2, '0')}`
const SHORT: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const wireOf = (char: string): string => {
  if (char === '\x07') return '\\a'
  if (char === '\b') return '\\b'
  return SHORT[char] ?? (char >= ' ' && char <= '~' ? char : hex(char.charCodeAt(0)))
}
const WIRE_OF_ALL_BYTES = Array.from(ALL_BYTES, wireOf).join('')

interface Seed {
  name: string
  stream: string
  /** What each line is: its arguments, or its error kind. */
  gives: (string[] | string)[]
  replies?: [string, string][]
  options?: Options
  source?: string
  db?: string
}

const line = (args: string, header: string = H): string => `+${header}${args}\r\n`

const SEEDS: Seed[] = [
  { name: '1 an empty stream', stream: '', gives: [] },
  { name: '2 OK only', stream: '+OK\r\n', gives: [], replies: [['simple', 'OK']] },
  {
    name: '3 three lines',
    stream: line('"SET" "a" "1"') + line(raw`"SET" "\xff\"" ""`) + line('"PING"'),
    gives: [['SET', 'a', '1'], ['SET', '\xff"', ''], ['PING']],
  },
  { name: '4 empty arguments', stream: line('"SET" "" ""') + line('""'), gives: [['SET', '', ''], ['']] },
  {
    name: '5 quote and space inside and at the end of values',
    stream: line(raw`"SET" "a\" \"b" "x\" " "EX" "10"`),
    gives: [['SET', 'a" "b', 'x" ', 'EX', '10']],
  },
  { name: '6 a value with the end of a header in it', stream: line(raw`"SET" "\"] \""`), gives: [['SET', '"] "']] },
  {
    name: '7 a hex escape and an escaped backslash',
    stream: line(raw`"GET" "foo\x92"`) + line(raw`"GET" "foo\\x92"`),
    gives: [
      ['GET', 'foo\x92'],
      ['GET', 'foo\\x92'],
    ],
  },
  {
    name: '8 every byte as key and value',
    stream: line(`"SET" "${WIRE_OF_ALL_BYTES}" "${WIRE_OF_ALL_BYTES}"`),
    gives: [['SET', ALL_BYTES, ALL_BYTES]],
  },
  { name: '9 a backslash at the end of a value', stream: line(raw`"SET" "k" "a\\"`), gives: [['SET', 'k', 'a\\']] },
  {
    name: '10 upper-case and one-digit hex',
    stream: line(raw`"GET" "\xAB"`) + line(raw`"GET" "\X41"`) + line(raw`"GET" "\x4"`),
    gives: ['bad_escape', 'bad_escape', 'bad_escape'],
  },
  { name: '11 a script', stream: line('"get" "k"', '1.2 [3 lua] '), gives: [['get', 'k']], source: 'lua', db: '3' },
  {
    name: '12 a socket path with spaces and brackets',
    stream: line('"PING"', '1.2 [0 unix:/run/a b] x].sock] '),
    gives: [['PING']],
    source: 'unix:/run/a b] x].sock',
  },
  { name: '13a IPv6', stream: line('"PING"', '1.2 [0 [::1]:43612] '), gives: [['PING']], source: '[::1]:43612' },
  {
    name: '13b IPv6 with a zone',
    stream: line('"PING"', '1.2 [0 [fe80::1%eth0]:6379] '),
    gives: [['PING']],
    source: '[fe80::1%eth0]:6379',
  },
  { name: '14a an unknown source', stream: line('"PING"', '1.2 [0 ?:0] '), gives: [['PING']], source: '?:0' },
  { name: '14b an empty source', stream: line('"PING"', '1.2 [0 ] '), gives: [['PING']], source: '' },
  { name: '15a a db of four digits', stream: line('"PING"', '1.2 [1023 a:1] '), gives: [['PING']], db: '1023' },
  { name: '15b a namespace', stream: line('"PING"', '1.2 [__namespace a:1] '), gives: [['PING']], db: '__namespace' },
  {
    name: '16a 2.4 with db',
    stream: line('"GET" "k"', '1.000002 (db 9) '),
    gives: [['GET', 'k']],
    options: { dialect: 'paren' },
    db: '9',
  },
  {
    name: '16b 2.4 without db',
    stream: line('"GET" "k"', '1.000002 '),
    gives: [['GET', 'k']],
    options: { dialect: 'paren' },
    db: '0',
  },
  { name: '17 2.0 microseconds', stream: line('"PING"', '1.45 '), gives: [['PING']], options: { dialect: 'paren' } },
  {
    name: '18 escapes of 2.2 that lost their letter',
    stream: line(raw`"SET" "\ x"`, '1.000002 ') + line(raw`"SET" "\"`, '1.000002 ') + line('"PING"', '1.000002 '),
    gives: ['bad_escape', 'unterminated_quote', ['PING']],
    options: { dialect: 'paren' },
  },
  {
    name: '19 lines of a proxy',
    stream: `+[ proxy ] OK\r\n${line('"GET" "k"', '[ proxy1 ] 1.2 [0 a:1] ')}`,
    gives: [['GET', 'k']],
    replies: [['simple', '[ proxy ] OK']],
    source: 'a:1',
  },
  {
    name: '20 no space before the bracket',
    stream: line('"GET" "k"', '123.456789[0 1.2.3.4:5] '),
    gives: [['GET', 'k']],
    source: '1.2.3.4:5',
  },
  {
    name: '21 time that steps back and stands still',
    stream: ['2.5', '1.5', '1.5'].map((ts) => line('"PING"', `${ts} [0 a:1] `)).join(''),
    gives: [['PING'], ['PING'], ['PING']],
  },
  {
    name: '24 other replies between lines',
    stream:
      `$9\r\nfence-123\r\n${line('"PING"')}:1\r\n*3\r\n$1\r\na\r\n:2\r\n*1\r\n+x\r\n%2\r\n+1.5\r\n:1\r\n$-1\r\n_\r\n` +
      `>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\n+1.2\r\n-ERR no\r\n+PONG\r\n+RESET\r\n*-1\r\n*0\r\n#t\r\n,1.5\r\n` +
      `=7\r\ntxt:abc\r\n!3\r\nERR\r\n$0\r\n\r\n|1\r\n+a\r\n:1\r\n+OK\r\n${line('"PING"')}`,
    gives: [['PING'], ['PING']],
    replies: [
      ['bulk', 'fence-123'],
      ['scalar', '1'],
      ['aggregate', ''],
      ['aggregate', ''],
      ['push', ''],
      ['error', 'ERR no'],
      ['simple', 'PONG'],
      ['simple', 'RESET'],
      ['aggregate', ''],
      ['aggregate', ''],
      ['scalar', 't'],
      ['scalar', '1.5'],
      ['bulk', 'txt:abc'],
      ['error', 'ERR'],
      ['bulk', ''],
      ['aggregate', ''],
    ],
  },
  {
    name: '25a LF only',
    stream: `+OK\n+${GET}\n+${GET}\n`,
    gives: [
      ['GET', 'k'],
      ['GET', 'k'],
    ],
    replies: [['simple', 'OK']],
  },
  { name: '25b CR only: one line that never ends', stream: `+${GET}\r+${GET}\r`, gives: ['cut'] },
  { name: '26 a byte order mark', stream: `\xef\xbb\xbf+OK\r\n+${GET}\r\n`, gives: ['no_header', ['GET', 'k']] },
  { name: '27a an end amid an escape', stream: raw`+${H}"SET" "k" "ab\x4`, gives: ['cut'] },
  { name: '27b an end amid a reply', stream: `+${GET}\r\n$9\r\nfen`, gives: [['GET', 'k']] },
  {
    name: '28 an unterminated quote',
    stream: `+${H}"GET" "k\r\n+${GET}\r\n`,
    gives: ['unterminated_quote', ['GET', 'k']],
  },
  { name: '29 MULTI without EXEC', stream: line('"MULTI"') + line('"INCR" "a"'), gives: [['MULTI'], ['INCR', 'a']] },
  {
    name: '30 a script without its EVAL',
    stream: line('"get" "k"', '1.2 [0 lua] '),
    gives: [['get', 'k']],
    source: 'lua',
  },
  { name: '31 the word (redacted)', stream: line('"AUTH" "(redacted)"'), gives: [['AUTH', '(redacted)']] },
  {
    name: '32 a raw CRLF, and a false reply, inside a value',
    stream: `+${H}"SET" "k" "a\r\n$900\r\n\r\nb"\r\n+${GET}\r\n+PONG\r\n`,
    gives: ['unterminated_quote', 'no_header', 'empty', 'no_header', ['GET', 'k']],
    replies: [['simple', 'PONG']],
  },
  {
    name: '34 a fraction of seven digits',
    stream: line('"PING"', '1.2345678 [0 a:1] '),
    gives: [['PING']],
  },
  {
    name: '35 no header, no closing bracket, unquoted arguments, no arguments',
    stream: line('"GET"', '1.2 ') + line('"GET"', '1.2 [0 a:1 ') + line('GET k') + line('', '1.2 [0 a:1]'),
    gives: ['no_header', 'no_closing_bracket', 'unquoted_argument', 'no_arguments'],
  },
  { name: '36 a masked argument from a socket', stream: line('"SET" "k" ~3'), gives: ['unquoted_argument'] },
]

const splitAt = (bytes: Uint8Array, at: number) => [bytes.subarray(0, at), bytes.subarray(at)]

describe.for(SEEDS)('seed $name', (seed) => {
  const bytes = latin1Encode(seed.stream)
  const whole = collectScan([bytes], seed.options)

  test('gives the expected lines and replies', () => {
    expect(whole.lines.map(({ error, args }) => error ?? args)).toEqual(seed.gives)
    expect(whole.replies).toEqual(seed.replies ?? [])
    if (seed.source !== undefined) expect(whole.lines[0]!.source).toBe(seed.source)
    if (seed.db !== undefined) expect(whole.lines[0]!.db).toBe(seed.db)
    const { received, parsed, malformed, truncated } = whole.counters
    expect([received, parsed + malformed + truncated]).toEqual([seed.gives.length, seed.gives.length])
  })

  test('gives the same split at any byte, and byte by byte', () => {
    for (let at = 1; at < bytes.length; at += 1) expect(collectScan(splitAt(bytes, at), seed.options)).toEqual(whole)
    expect(
      collectScan(
        Array.from(bytes, (byte) => Uint8Array.of(byte)),
        seed.options,
      ),
    ).toEqual(whole)
  })
})

test('seed 17: microseconds without leading zeros are read as a number', () => {
  expect(collectScan([latin1Encode('+7.45 "PING"\r\n')], { dialect: 'paren' }).lines[0]!.eventUs).toBe(7_000_045)
})

test('seed 21: times are kept as they came', () => {
  const stream = ['2.5', '1.5', '1.5'].map((ts) => line('"PING"', `${ts} [0 a:1] `)).join('')
  const times = collectScan([latin1Encode(stream)]).lines.map(({ eventUs }) => eventUs)
  expect(times).toEqual([2_500_000, 1_500_000, 1_500_000])
})

/** One buffer, given again and again. */
function* repeated(head: string, times: number, tail: string): Generator<Uint8Array> {
  yield latin1Encode(head)
  const filler = new Uint8Array(2 ** 20).fill(0x61)
  for (let index = 0; index < times; index += 1) yield filler
  yield latin1Encode(tail)
}

test('seed 22: a value of 20 MB is cut at the limit, or whole under a higher one', () => {
  const cut = collectScan(repeated(`+${H}"SET" "k" "`, 20, `"\r\n+${GET}\r\n`))
  expect(cut.lines.map(({ error }) => error)).toEqual(['cut', null])
  expect(cut.lines[0]!.text).toHaveLength(2 ** 20)
  expect(cut.counters).toEqual({ received: 2, parsed: 1, malformed: 0, truncated: 1 })
  const whole = collectScan(repeated(`+${H}"SET" "k" "`, 20, '"\r\n'), { maxLineBytes: 64 * 2 ** 20 })
  expect(whole.lines[0]!.args[2]).toHaveLength(20 * 2 ** 20)
})

test('seed 22: a reply of 512 MB is passed over, one that says more is garbage', () => {
  const whole = collectScan(repeated('$536870912\r\n', 512, `\r\n+${GET}\r\n`))
  expect(whole.replies).toEqual([['bulk', 'a'.repeat(4096)]])
  expect(whole.lines.map(({ args }) => args)).toEqual([['GET', 'k']])
  const more = collectScan([latin1Encode(`$536870913\r\n+${GET}\r\n`)])
  expect(more.lines.map(({ error }) => error)).toEqual(['no_header', null])
})

test('seed 23: a line has 100,000 arguments', () => {
  const args = Array.from({ length: 100_000 }, (_, index) => String(index))
  const { lines } = collectScan([latin1Encode(line(args.map((text) => `"${text}"`).join(' ')))])
  expect(lines[0]!.args).toEqual(args)
})

test('seed 33: OK and 1000 lines come in one read', () => {
  const stream = `+OK\r\n${Array.from({ length: 1000 }, (_, index) => line(`"GET" "${index}"`)).join('')}`
  const { lines, replies, counters } = collectScan([latin1Encode(stream)])
  expect(replies).toEqual([['simple', 'OK']])
  expect(lines.map(({ args }) => args[1])).toEqual(Array.from({ length: 1000 }, (_, index) => String(index)))
  expect(counters.parsed).toBe(1000)
})

test.for([1, 10])('seed 37: a value of %d MiB is whole under a limit that lets it through', (size) => {
  const { lines } = collectScan(repeated(`+${H}"SET" "k" "`, size, '" "EX"\r\n'), { maxLineBytes: 11 * 2 ** 20 })
  expect(lines[0]!.error).toBe(null)
  expect(lines[0]!.args.map(({ length }) => length)).toEqual([3, 1, size * 2 ** 20, 2])
})
