import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonBytes, toJsonLine, type JsonBytes, type JsonMasked } from './json-line.ts'
import { latin1Encode } from './latin1.ts'
import { MonitorLine, type Dialect } from './monitor-line.ts'
import { printMonitorLine } from './print-line.ts'

const json = (text: string, dialect: Dialect = 'bracket') =>
  toJsonLine(latin1Encode(text), { segment: 3, target: '10.0.0.1:6379', line: new MonitorLine({ dialect }) })

test('a line gives its time as text, its verb as sent, and its arguments decoded', () => {
  expect(json(String.raw`1795251178.482143 [12 127.0.0.1:5] "SeT" "a\"b" "\xd0\xba" "\xff\x00" ""`)).toEqual({
    ts: '1795251178482143',
    segment: 3,
    target: '10.0.0.1:6379',
    db: '12',
    client: '127.0.0.1:5',
    cmd: 'SeT',
    args: ['a"b', 'к', { b64: '/wA=' }, ''],
    keys: ['a"b'],
  })
})

test('a dialect without db and client gives db 0 and no client', () => {
  expect(json('1.000002 "PING"', 'paren')).toMatchObject({
    ts: '1000002',
    db: '0',
    client: null,
    cmd: 'PING',
    args: [],
  })
  expect(json('1.000002 [0 ] "PING"')).toMatchObject({ client: '' })
})

test('a line that is not whole gives its error and all its bytes', () => {
  expect(json('1.2 [0 a:1] "SET" "k')).toEqual({
    ts: '1200000',
    segment: 3,
    target: '10.0.0.1:6379',
    error: 'unterminated_quote',
    raw: '1.2 [0 a:1] "SET" "k',
  })
  expect(json('\xff')).toMatchObject({ error: 'no_header', raw: { b64: '/w==' } })
  expect(json('')).toMatchObject({ error: 'empty', raw: '' })
})

test('a cut line keeps its parts, is marked, and may end in a part of an argument', () => {
  const cut = (text: string, dialect: Dialect = 'bracket') => {
    const line = new MonitorLine({ dialect })
    return toJsonLine(latin1Encode(text), { segment: 0, target: 't:1', line, isCut: true })
  }
  const head = { ts: '1200000', segment: 0, target: 't:1', db: '3', client: 'a:1', cut: true }
  expect(cut('1.2 [3 a:1] "SET" "k" "va\\xff')).toEqual({
    ...head,
    cmd: 'SET',
    args: ['k', { b64: 'dmH/' }],
    keys: ['k'],
    bytes: 29,
  })
  expect(cut('1.2 [3 a:1] "SET" "k"')).toEqual({ ...head, cmd: 'SET', args: ['k'], keys: ['k'], bytes: 21 })
  expect(cut('1.2 [3 a:1] "SE')).toEqual({ ...head, cmd: 'SE', args: [], keys: [], bytes: 15 })
  expect(cut('1.2 [3 a:1] "')).toMatchObject({ cmd: '', args: [] })
  expect(cut('1.2 [3 a:1] "SET" "va\\x0')).toMatchObject({ args: ['va'] })
  expect(cut('1.2 [3 a:1] "SET" ~3 "v')).toMatchObject({ args: [{ masked: true, len: 3 }, 'v'] })
  expect(cut('1.000002 (db 2) "SET" "v', 'paren')).toMatchObject({ db: '2', client: null, args: ['v'], cut: true })
})

test('a cut line whose parts cannot be read is marked all the same', () => {
  const line = new MonitorLine()
  const cut = (text: string) => toJsonLine(latin1Encode(text), { segment: 0, target: 't', line, isCut: true })
  expect(cut('rubbish')).toEqual({ segment: 0, target: 't', error: 'no_header', raw: 'rubbish', cut: true, bytes: 7 })
  expect(cut('1.2 [0 a:1] "SET" "\\q')).toMatchObject({ ts: '1200000', error: 'bad_escape', cut: true })
  expect(cut('1.2 [0 a')).toMatchObject({ ts: '1200000', error: 'no_closing_bracket' })
})

test('a masked argument is told from a value of the same text', () => {
  expect(json('1.2 [0 a:1] "SET" ~3 ~12:0123456789abcdef "~3"')).toMatchObject({
    args: [{ masked: true, len: 3 }, { masked: true, len: 12, hash: '0123456789abcdef' }, '~3'],
  })
})

test('keys are told apart from other arguments, also masked ones', () => {
  expect(json('1.2 [0 a:1] "EVAL" "return 1" "2" "k" "\\xff" "v"')).toMatchObject({ keys: ['k', { b64: '/w==' }] })
  expect(json('1.2 [0 a:1] "SET" ~3:0123456789abcdef "v"')).toMatchObject({
    keys: [{ masked: true, len: 3, hash: '0123456789abcdef' }],
  })
  expect(json('1.2 [0 a:1] "PUBLISH" "channel" "v"')).toMatchObject({ keys: [] })
})

test('a byte order mark stays', () => {
  expect(jsonBytes(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa')
})

test('a line that is cut anywhere is told without a failure, with the beginning of its arguments', () => {
  const text = String.raw`1795251178.482143 [0 127.0.0.1:5] "SET" "k\"\xd0\xba" "\n v"`
  for (let length = text.indexOf('"') + 1; length <= text.length; length += 1) {
    const line = { segment: 0, target: 't', line: new MonitorLine(), isCut: true }
    const told = toJsonLine(latin1Encode(text.slice(0, length)), line)
    if ('error' in told) expect(told.error).toBe('unquoted_argument')
    else expect('SET').toContain(told.cmd)
    expect(told).toMatchObject({ ts: '1795251178482143', cut: true, bytes: length })
  }
})

const hexOf = (value: JsonBytes | JsonMasked): string => {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('hex')
  return 'b64' in value ? Buffer.from(value.b64, 'base64').toString('hex') : 'masked'
}

test('any arguments come back from JSON as the bytes that they were', () => {
  const argument = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
  )
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 6 }), (args) => {
      const bytes = printMonitorLine({ eventUs: 1, db: '0', source: 'a:1', args })
      const line = toJsonLine(bytes, { segment: 0, target: 't', line: new MonitorLine() })
      expect(JSON.parse(JSON.stringify(line))).toEqual(line)
      if ('error' in line) throw new Error(line.error)
      expect([line.cmd, ...line.args].map(hexOf)).toEqual(args.map((value) => Buffer.from(value).toString('hex')))
    }),
  )
})
