import type { TailRow } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { parseRow, rowKey } from './parse-row.ts'

const rowOf = (line: string): TailRow => ({ segmentNo: 1, seq: 2, lineNo: 3, eventUs: 4, line })

test('a line is shown in its parts', () => {
  expect(parseRow(rowOf('1795251178.000045 [3 10.0.0.7:50123] "set" "user:1" "a \\"b\\" \\xff"'))).toEqual({
    db: '3',
    source: '10.0.0.7:50123',
    verb: 'set',
    args: '"user:1" "a \\"b\\" \\xff"',
    error: undefined,
  })
})

test('a masked argument and a verb alone are shown as stored', () => {
  expect(parseRow(rowOf('1795251178.000045 [0 lua] "GET" ~12:0123456789abcdef')).args).toBe('~12:0123456789abcdef')
  expect(parseRow(rowOf('1795251178.000045 [0 lua] "PING"'))).toMatchObject({ verb: 'PING', args: '' })
})

test('a line of an old server names no client', () => {
  expect(parseRow(rowOf('1795251178.000045 (db 2) "GET" "k"'))).toMatchObject({ db: '2', source: '', verb: 'GET' })
})

test('what is no whole line is shown whole, inert, and with what is wrong', () => {
  const row = parseRow(rowOf('<script>\x1b[2J\x9b\xadx'))
  expect(row.error).toBeTypeOf('string')
  expect(row.args).toBe('<script>\\x1b[2J\\x9b\\xadx')
})

test('a line that was cut keeps its parts and is marked', () => {
  const row = parseRow({ ...rowOf('1795251178.000045 [3 a:1] "SET" "k" "va'), cut: true })
  expect(row).toEqual({ db: '3', source: 'a:1', verb: 'SET', args: '"k" "va', error: 'cut' })
  expect(parseRow({ ...rowOf('1795251178.000045 [3 a:1] "SET" "k"'), cut: true }).error).toBe('cut')
  expect(parseRow({ ...rowOf('17952'), cut: true })).toMatchObject({ args: '17952', error: 'cut' })
})

test('a row is parsed once', () => {
  const row = rowOf('1795251178.000045 [0 a:1] "PING"')
  expect(parseRow(row)).toBe(parseRow(row))
  expect(rowKey(row)).toBe('1.2.3')
})
