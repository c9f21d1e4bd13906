import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { COMMANDS } from '../commands/grammar.ts'
import { COMMAND_TABLE } from '../commands/table.ts'
import { LineView } from '../filter/line-view.ts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { MonitorLine, type LineErrorKind } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { printMonitorLine } from '../print-line.ts'
import { ByteWriter } from '../byte-writer.ts'
import { KeyPatternWriter } from './key-pattern.ts'
import { sha1 } from './sha1.ts'
import { ShapeWriter } from './shape-writer.ts'

const writer = new ShapeWriter()
const view = new LineView()
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const shapeOfBytes = (bytes: Uint8Array, masked = true, cut?: LineErrorKind): string => {
  const line = new MonitorLine({ masked })
  view.load(line, cut ?? parseMonitorLine(bytes, 0, bytes.length, line))
  if (cut !== undefined) parseMonitorLine(bytes, 0, bytes.length, line)
  return latin1Decode(writer.bytes, 0, writer.write(view))
}
const shapeOfText = (rest: string): string => shapeOfBytes(latin1Encode(`1.5 [0 10.0.0.1:7] ${rest}`))
const lineOf = (args: Uint8Array[]): Uint8Array =>
  printMonitorLine({ eventUs: 1_500_000, db: '0', source: '10.0.0.1:7', args })
const shapeOf = (...args: string[]): string => shapeOfBytes(lineOf(args.map(encode)))

const out = new ByteWriter()
const patterns = new KeyPatternWriter()
const patternOf = (key: Uint8Array): string => {
  out.length = 0
  patterns.write(out, key, { start: 0, end: key.length })
  return latin1Decode(out.bytes, 0, out.length)
}

test('a shape has the verb, the class of its count of arguments and the pattern of its key', () => {
  expect(shapeOf('get', 'user:17')).toBe('GET 1 user:{n}')
  expect(shapeOf('PING')).toBe('PING 0')
  expect(shapeOf('hset', 'user:17:profile', 'a', 'b')).toBe('HSET 3 user:{n}:profile')
  expect(shapeOf('MSET', 'a:1', 'x', 'b:2', 'y', 'c', 'z')).toBe('MSET 5-8 a:{n}')
  expect(shapeOf('DEL', ...Array.from({ length: 9 }, (_, at) => `k:${at}`))).toBe('DEL 9-16 k:{n}')
  expect(shapeOf('DEL', ...Array.from({ length: 17 }, (_, at) => `k:${at}`))).toBe('DEL 17-32 k:{n}')
  expect(shapeOf('DEL', ...Array.from({ length: 33 }, (_, at) => `k:${at}`))).toBe('DEL 33+ k:{n}')
  expect(shapeOf('client', 'list')).toBe('CLIENT|LIST 1')
  expect(shapeOf('CLIENT', 'nosuch')).toBe('CLIENT|? 1')
  expect(shapeOf('OBJECT', 'encoding', 'k:1')).toBe('OBJECT|ENCODING 2 k:{n}')
  expect(shapeOf('XREAD', 'COUNT', '2', 'STREAMS', 's:1', 's:2', '0', '0')).toBe('XREAD 5-8 s:{n}')
  expect(shapeOf('json.set', 'doc:1', '$', '1')).toBe('JSON.SET 3')
  expect(shapeOfText('"SET" "k" "a')).toBe('SET 1 k')
  expect(shapeOfBytes(latin1Encode('1.5 [0 a:1] "SET" "k:1" "aaaa'), true, 'cut')).toBe('SET cut k:{n}')
  expect(shapeOfText('nonsense')).toBe('')
})

test('scripts are told apart by what they run', () => {
  const body = "return redis.call('get', KEYS[1])\n"
  const sha = createHash('sha1').update(body).digest('hex')
  expect(shapeOf('eval', body, '1', 'user:1')).toBe(`EVAL(${sha},1) 3 user:{n}`)
  expect(shapeOf('EVAL_RO', body, '0', 'x')).toBe(`EVAL_RO(${sha},0) 3`)
  expect(shapeOf('EVALSHA', sha.toUpperCase(), '2', 'a:1', 'b', 'v')).toBe(`EVALSHA(${sha},2) 5-8 a:{n}`)
  expect(shapeOf('FCALL', 'pay_Out', '1', 'acc:9')).toBe('FCALL(pay_Out,1) 3 acc:{n}')
  expect(shapeOf('FCALL', 'a b)', 'x')).toBe('FCALL(a%20b%29,?) 2')
  expect(shapeOfText('"EVAL" ~33:0123456789abcdef "1" "user:1"')).toBe('EVAL(~33:0123456789abcdef,1) 3 user:{n}')
})

test('keys lose what tells one from the next of its kind', () => {
  const cases: Record<string, string> = {
    'user:17:profile': 'user:{n}:profile',
    'session:550e8400-e29b-41d4-a716-446655440000': 'session:{uuid}',
    'cache:d41d8cd98f00b204e9800998ecf8427e': 'cache:{hex}',
    'deadbeef:1': 'deadbeef:{n}',
    tok_V1StGXR8Z5jdHi6Bmyt0: 'tok_{id}',
    item42v3: 'item{n}v{n}',
    '{user:1000}.following': '{tag}.following',
    '{}.x{5}': '{}.x{tag}',
    'a{b': 'a{b',
    '2026-11-25T10': '{n}-{n}-{n}T{n}',
    'price:-1.5': 'price:-{n}.{n}',
    'a b:1': 'a b:{n}',
    '': '',
    internationalization: 'internationalization',
  }
  expect(Object.fromEntries(Object.keys(cases).map((key) => [key, patternOf(encode(key))]))).toEqual(cases)
  expect(patternOf(Uint8Array.of(0x61, 0x3a, 0x00, 0xff, 0x3a, 0x62))).toBe('a:{bin}:b')
  expect(patternOf(encode('x'.repeat(1000)))).toBe(`${'x'.repeat(128)}{more}`)
})

test('a masked key keeps the parts that are shown', () => {
  expect(shapeOfText('"GET" "user:"~17:0123456789abcdef":5"')).toBe('GET 1 user:{masked}:{n}')
  expect(shapeOfText('"GET" ~17:0123456789abcdef')).toBe('GET 1 {masked}')
  expect(shapeOfText('"GET" ~3~4"\\x00"')).toBe('GET 1 {bin}')
})

test('every command of the table has a shape under its name, whatever the case and its arguments', () => {
  const names = COMMAND_TABLE.trim()
    .split('\n')
    .map((line) => line.split(' ')[0]!)
    .filter((name) => COMMANDS.get(name)?.subcommands === undefined)
  for (const name of names) {
    const rest = ['1', '1', 'key:1', 'key:2']
    const shape = shapeOf(...name.split('|'), ...rest)
    expect(shapeOf(...name.toLowerCase().split('|'), ...rest)).toBe(shape)
    const arity = name.includes('|') ? '5-8' : '4'
    const script = /^(EVAL|FCALL)/.test(name) ? '([0-9a-f]+,1)' : ''
    expect(
      shape
        .replace(/\(\w+,1\)/, '([0-9a-f]+,1)')
        .split(' ')
        .slice(0, 2),
    ).toEqual([`${name}${script}`, arity])
  }
  expect(names.length).toBeGreaterThan(350)
})

const part = fc.constantFrom(
  'user',
  ':',
  '1',
  '{',
  '}',
  '{n}',
  '{more}',
  '{tag}',
  '-',
  'ab12cd34',
  'x'.repeat(60),
  '\xff',
  'deadbeef',
  '-e29b-41d4-a716-446655440000',
  'G7',
)
const key = fc.oneof(
  fc.array(part, { maxLength: 12 }).map((parts) => latin1Encode(parts.join(''))),
  fc.uint8Array({ maxLength: 40 }),
)

test('a pattern is its own pattern, printable, and bounded', () => {
  fc.assert(
    fc.property(key, (bytes) => {
      const pattern = patternOf(bytes)
      expect(pattern).toMatch(/^[ -~]*$/)
      expect(pattern.length).toBeLessThanOrEqual(128 + 16)
      expect(patternOf(latin1Encode(pattern))).toBe(pattern)
    }),
    { numRuns: 20_000 },
  )
})

test('a line has one shape, read from the wire or from a store', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('get', 'MSET', 'eval', 'client', 'nosuch'),
      fc.array(key, { maxLength: 5 }),
      (verb, rest) => {
        const bytes = lineOf([encode(verb), ...rest])
        const shape = shapeOfBytes(bytes, false)
        expect(shape).toMatch(/^[ -~]+$/)
        expect(shapeOfBytes(bytes, true)).toBe(shape)
      },
    ),
    { numRuns: 5000 },
  )
})

test('SHA-1 is that of the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(5), (bytes, skip) => {
      const start = Math.min(skip, bytes.length)
      const hex = Array.from(sha1(bytes, start, bytes.length), (word) =>
        (word >>> 0).toString(16).padStart(8, '0'),
      ).join('')
      expect(hex).toBe(createHash('sha1').update(bytes.subarray(start)).digest('hex'))
    }),
    { numRuns: 2000 },
  )
})
