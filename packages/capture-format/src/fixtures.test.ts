import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collectScan } from './collect-scan.ts'
import { latin1Encode } from './latin1.ts'
import type { Dialect } from './monitor-line.ts'
import { printMonitorLine } from './print-line.ts'

const read = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/monitor', name))

/** File, dialect, lines with `+OK`: as the README beside the recordings says. */
const RAW: [string, Dialect, number][] = [
  ['valkey-8.0.1.raw', 'bracket', 33],
  ['redis-8.0-m01.raw', 'bracket', 33],
  ['redis-7.4.1.raw', 'bracket', 33],
  ['redis-2.4.18.raw', 'paren', 30],
  ['debian-7.0.15-rich-resp2.raw', 'bracket', 77],
  ['debian-7.0.15-rich-resp3.raw', 'bracket', 77],
]
const PRINTED: [string, number][] = [
  ['m1', 6],
  ['m2', 5],
  ['mon_primary.txt', 41],
  ['mon_replica.txt', 35],
  ['mon3.txt', 24],
  ['mon4.txt', 11],
  ['mon_p2.txt', 213],
  ['mon_r2.txt', 211],
]

/** What `redis-cli` printed, as the server had sent it. */
const asSent = (name: string): Uint8Array =>
  latin1Encode(read(name).toString('latin1').replaceAll(/^/gm, '+').slice(0, -1))

describe.for(RAW)('the recording %s', ([name, dialect, count]) => {
  const bytes = read(`raw/${name}`)
  const { lines, replies, counters } = collectScan([bytes], { dialect })

  test('holds the lines that its README counts, all of them whole', () => {
    expect(replies).toEqual([['simple', 'OK']])
    expect(counters).toEqual({ received: count - 1, parsed: count - 1, malformed: 0, truncated: 0 })
  })

  test('is printed again to the same bytes', () => {
    const again = lines.map(({ eventUs, db, source, args }) => {
      const line = printMonitorLine({ eventUs, db, source, args: args.map(latin1Encode), dialect })
      return `+${Buffer.from(line).toString('latin1')}\r\n`
    })
    expect(`+OK\r\n${again.join('')}`).toBe(bytes.toString('latin1'))
  })

  test('gives the same split at any byte', () => {
    const whole = JSON.stringify(lines)
    for (let at = 1; at < bytes.length; at += 1) {
      const split = collectScan([bytes.subarray(0, at), bytes.subarray(at)], { dialect })
      if (JSON.stringify(split.lines) !== whole) expect(split.lines, `split at ${at}`).toEqual(lines)
    }
  })

  test('is refused line by line in the other dialect', () => {
    const other = collectScan([bytes], { dialect: dialect === 'paren' ? 'bracket' : 'paren' })
    expect(other.counters).toEqual({ received: count - 1, parsed: 0, malformed: count - 1, truncated: 0 })
  })
})

test.for(PRINTED)('the recording %s holds %d lines with OK, all of them whole', ([name, count]) => {
  const { replies, counters } = collectScan([asSent(name)])
  expect(replies).toEqual([['simple', 'OK']])
  expect(counters).toEqual({ received: count - 1, parsed: count - 1, malformed: 0, truncated: 0 })
})

test('a RESP3 connection is sent the bytes of a RESP2 connection', () => {
  expect(read('raw/debian-7.0.15-rich-resp3.raw').equals(read('raw/debian-7.0.15-rich-resp2.raw'))).toBe(true)
})

test('servers of today differ in nothing but times and ports', () => {
  const masked = (name: string) =>
    read(`raw/${name}`)
      .toString('latin1')
      .replaceAll(/^\+\d+\.\d{6}/gm, 'T')
      .replaceAll(/127\.0\.0\.1:\d+\]/g, 'PORT]')
  expect(masked('redis-8.0-m01.raw')).toBe(masked('valkey-8.0.1.raw'))
  expect(masked('redis-7.4.1.raw')).toBe(masked('valkey-8.0.1.raw'))
})

test('bytes that are sent come out as they were, from every server', () => {
  for (const [name, dialect] of RAW.slice(0, 4)) {
    const { lines } = collectScan([read(`raw/${name}`)], { dialect })
    const set = lines.find(({ args }) => args[0] === 'SeT')!
    expect(set.args.slice(1)).toEqual(['k"\\\n\r\t', '\x00\x07\x08\x0b\x1b\x7f\x80\xff\xc3\xa9'])
    expect(lines.map(({ args }) => args)).toContainEqual(['SET', 'a" "b', 'x" '])
    expect(lines.map(({ args }) => args)).toContainEqual(['SET', '', ''])
  }
})

test('the address forms are read: IPv4, IPv6, unix socket, script', () => {
  const sources = [...collectScan([asSent('m1')]).lines, ...collectScan([asSent('mon3.txt')]).lines].map(
    ({ source }) => source,
  )
  for (const source of ['127.0.0.1:51384', '[::1]:49298', 'unix:/run/redis/u.sock', 'lua']) {
    expect(sources).toContain(source)
  }
})
