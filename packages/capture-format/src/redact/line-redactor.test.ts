import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { MonitorLine } from '../monitor-line.ts'
import { latin1Encode } from '../latin1.ts'
import { toJsonLine } from '../json-line.ts'
import { collectScan } from '../collect-scan.ts'
import { KEY, redactText, type SomeRules } from './redact-text.ts'
import type { RedactionLevel } from '@sonde/contracts'

const HEAD = '1795251178.482143 [0 127.0.0.1:5] '
const quote = (text: string): string =>
  text
    .split(' ')
    .map((word) => `"${word}"`)
    .join(' ')
const hashOf = (text: string): string => createHmac('sha256', KEY).update(text, 'latin1').digest('hex').slice(0, 16)
const mark = (text: string): string => `~${text.length}:${hashOf(text)}`
/** What stands in `{}` is expected to be masked. */
const expected = (text: string): string =>
  text
    .split(' ')
    .map((word) => (word.startsWith('{') ? mark(word.slice(1, -1)) : `"${word}"`))
    .join(' ')
const redact = (text: string, rules: SomeRules): string =>
  redactText(HEAD + quote(text.replaceAll(/[{}]/g, '')), { rules }).slice(HEAD.length)
const check = (text: string, level: RedactionLevel) => expect(redact(text, { level })).toBe(expected(text))

test.for([
  'SET k {v} EX 10 NX GET',
  'set k {v} px 5',
  'SETEX k 10 {v}',
  'PSETEX k 10 {v}',
  'SETNX k {v}',
  'GETSET k {v}',
  'APPEND k {v}',
  'LSET k 0 {v}',
  'HSETNX k f {v}',
  'PUBLISH ch {v}',
  'SPUBLISH ch {v}',
  'LINSERT k BEFORE {p} {v}',
  'MSET a {1} b {2}',
  'MSETNX a {1} b {2}',
  'HSET k f {1} g {2}',
  'HMSET k f {1} g {2}',
  'LPUSH k {a} {b}',
  'RPUSH k {a}',
  'LPUSHX k {a}',
  'RPUSHX k {a}',
  'SADD k {a} {b}',
  'SREM k {a}',
  'GET k',
  'HGET k f',
  'ZADD k 1 m',
  'SET k',
  'LINSERT k',
  'MSET',
  'AUTH {user} {password}',
  'JSON.SET {k} {.} {1}',
])('level values: %s', (text) => check(text, 'values'))

test.for([
  'SET k {v} EX 10 NX GET',
  'SET k {v} EX {ten} NX',
  'SET k {EX} {NX2}',
  'GET k',
  'HGET k {f}',
  'HSET k {f} {v}',
  'ZADD k NX CH {1.5} {m}',
  'ZRANGE k 0 -1 BYSCORE LIMIT 0 5 WITHSCORES',
  'ZRANGE k {[secret} + BYLEX',
  'XADD s MAXLEN ~ 100 * {f} {v}',
  'XADD s NOMKSTREAM 5-* {f} {v}',
  'XREADGROUP GROUP {g} {c} COUNT 5 STREAMS a b > 0-0',
  'BITFIELD k SET u8 #3 {200} GET i16 0 OVERFLOW SAT',
  'BITOP AND dst a b',
  'BITOP {secret} dst',
  'EVAL {script} 2 a b {x} {y}',
  'EVAL {script} {9} {a} {b}',
  'FCALL {f} 0 {x}',
  'SCRIPT LOAD {body}',
  'SCRIPT {secret} {body}',
  'FUNCTION LOAD REPLACE {body}',
  'ECHO {hello}',
  'PING {hello}',
  'SETRANGE k 5 {v}',
  'SMOVE a b {m}',
  'LREM k 0 {v}',
  'LPOS k {v} RANK 1 COUNT 0',
  'PFADD k {a}',
  'GEOADD k {13.1} {38.2} {place}',
  'RESTORE k 0 {payload} REPLACE',
  'HSETEX k EX 10 FIELDS 1 {NX} {v}',
  'MSETEX 2 a {1} b {2} EX 5',
  'OBJECT ENCODING k',
  'MEMORY USAGE k SAMPLES 5',
  'SORT k BY {w_*} GET {d_*} STORE d',
  'SUBSCRIBE {ch}',
  'KEYS {user:*}',
  'SCAN 0 MATCH {user:*} COUNT 10',
  'MIGRATE {host} 6379 k 0 1000 COPY AUTH2 {u} {p}',
  'HELLO 3 AUTH {u} {p} SETNAME {me}',
  'CONFIG SET {requirepass} {pw}',
  'JSON.SET {k} {.} {1}',
  'FT.SEARCH {idx} {q}',
  'get k {more}',
])('level full: %s', (text) => check(text, 'full'))

test.for(['SET {k} {v} EX 10', 'MGET {a} {b}', 'EVAL {s} 1 {k} {a}', 'INFO memory'])('level keys: %s', (text) =>
  check(text, 'keys'),
)

test.for([
  'SET k v',
  'JSON.SET k . 1',
  'AUTH {pw}',
  'auth {user} {pw}',
  'HELLO 3 AUTH {u} {pw} SETNAME me',
  'MIGRATE host 6379 k 0 1000 AUTH {pw}',
  'CONFIG SET requirepass {pw} maxmemory {1gb}',
  'ACL SETUSER bob {on} {pw}',
])('level none: %s', (text) => check(text, 'none'))

test('what is masked is hashed as the client sent it, and cannot be taken for a literal of the same text', () => {
  const text = String.raw`"SET" "k" "a\"\x00\n"`
  expect(redactText(HEAD + text, { rules: { level: 'full' } })).toBe(`${HEAD}"SET" "k" ${mark('a"\0\n')}`)
  const literal = mark('secret')
  const redacted = redactText(`${HEAD}"SET" "k" "${literal}"`, { rules: { level: 'full' } })
  expect(redacted).toBe(`${HEAD}"SET" "k" ${mark(literal)}`)
  expect(collectScan([latin1Encode(`+${redacted}\r\n`)]).counters).toMatchObject({ malformed: 1, parsed: 0 })
})

test('an inner line of a script is redacted as any other', () => {
  const lua = '1795251178.482143 [0 lua] "set" "k" "secret"'
  expect(redactText(lua, { rules: { level: 'full' } })).toBe(lua.replace('"secret"', mark('secret')))
})

test('patterns are masked inside of keys, whose other parts stay', () => {
  const rules: SomeRules = { level: 'full', keyPatterns: ['email', 'token'] }
  const token = 'eyJhbGciOiJIUzI1NiJ9'
  expect(redact('GET user:ann.lee+x@mail.example.org:profile', rules)).toBe(
    `"GET" "user:"${mark('ann.lee+x@mail.example.org')}":profile"`,
  )
  expect(redact(`MGET a ${token} s:${token}:${token}.x`, rules)).toBe(
    `"MGET" "a" ${mark(token)} "s:"${mark(token)}":"${mark(token)}".x"`,
  )
  expect(redact('GET user:1:profile', rules)).toBe('"GET" "user:1:profile"')
  expect(redactText(`${HEAD}"GET" "\\x00${token}\\n@h.org"`, { rules })).toBe(
    `${HEAD}"GET" "\\x00"${mark(token)}"\\n@h.org"`,
  )
})

test('level keys leaves the prefix of a key when it is asked to', () => {
  const rules: SomeRules = { level: 'keys', keepKeyPrefix: true }
  expect(redact('GET user:1:profile', rules)).toBe(`"GET" "user:"${mark('1:profile')}`)
  expect(redact('GET user', rules)).toBe(`"GET" ${mark('user')}`)
  expect(redactText(`${HEAD}"GET" ""`, { rules })).toBe(`${HEAD}"GET" ${mark('')}`)
})

test('a key that is masked in part is one argument of a stored line, and never one from a socket', () => {
  const stored = `${HEAD}"MGET" "user:"${mark('x')}":\\xff" ${mark('whole')} "b"`
  expect(collectScan([latin1Encode(`+${stored}\r\n`)]).counters).toMatchObject({ malformed: 1, parsed: 0 })
  const line = new MonitorLine()
  expect(toJsonLine(latin1Encode(stored), { segment: 0, target: 't:1', line })).toMatchObject({
    args: [
      { masked: true, len: 8, parts: ['user:', { masked: true, len: 1, hash: hashOf('x') }, { b64: 'Ov8=' }] },
      { masked: true, len: 5, hash: hashOf('whole') },
      'b',
    ],
  })
})

test('of a line that is not whole only its header is kept', () => {
  const rules: SomeRules = { level: 'values' }
  expect(redactText(`${HEAD}"SET" "k" "sec`, { rules })).toBe(HEAD + mark('"SET" "k" "sec'))
  expect(redactText('1.2 [0 secret', { rules })).toBe(`1.2 ${mark(' [0 secret')}`)
  expect(redactText('secret', { rules })).toBe(mark('secret'))
  expect(redactText('', { rules })).toBe('')
  expect(redactText('secret', { rules: { level: 'none' } })).toBe('secret')
  expect(redactText(`${HEAD}"AUTH" "p" secret`, { rules: { level: 'none' } })).toBe(HEAD + mark('"AUTH" "p" secret'))
})

test('of a cut line the whole arguments are treated as ever, and the broken one is masked', () => {
  const cut = (text: string, level: RedactionLevel) =>
    redactText(HEAD + text, { rules: { level }, isCut: true }).slice(HEAD.length)
  expect(cut('"SET" "k" "sec', 'full')).toBe(`"SET" "k" ${mark('sec')}`)
  expect(cut('"SET" "k" "v" "s', 'values')).toBe(`"SET" "k" ${mark('v')} ${mark('s')}`)
  expect(cut('"SET" "k" "v"', 'full')).toBe(`"SET" "k" ${mark('v')}`)
  expect(cut('"SE', 'full')).toBe(mark('"SE'))
  expect(cut('"SET" "k" "sec', 'none')).toBe('"SET" "k" "sec')
  expect(cut('"AUTH" "u" "sec', 'none')).toBe(`"AUTH" ${mark('u')} ${mark('sec')}`)
})

test('a line that marks make too long is cut after a whole argument', () => {
  const text = HEAD + quote('SADD k a b c d e f g h')
  const redacted = redactText(text, { rules: { level: 'full' }, maxLineBytes: 128 })
  expect(redacted).toBe(HEAD + expected('SADD k {a} {b} {c} {d}'))
})
