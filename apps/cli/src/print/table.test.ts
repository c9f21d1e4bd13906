import { expect, test } from 'vitest'
import { formatTable, type Column } from './table.ts'

const columns: Column[] = [{ title: 'ID' }, { title: 'LINES', align: 'right' }, { title: 'REASON', shrinks: true }]

test('columns are as wide as their widest cell, numbers to the right', () => {
  const text = formatTable({
    columns,
    rows: [
      ['a1', '7', 'why'],
      ['b', '1,024', ''],
    ],
  })
  expect(text.split('\n')).toEqual(['ID  LINES  REASON', 'a1      7  why', 'b   1,024'])
})

test('on a narrow terminal the columns that may shrink give way, ids never', () => {
  const text = formatTable({ columns, rows: [['0193-whole-id', '7', 'a long reason that does not fit']], width: 36 })
  const [, row] = text.split('\n')
  expect(row).toBe('0193-whole-id      7  a long reason…')
})

test('a cell cannot break out of its row or colour the terminal', () => {
  const text = formatTable({ columns, rows: [['x\n\u001b[31my', '1', '\u202e']] })
  expect(text.split('\n')).toHaveLength(2)
  expect(text).not.toMatch(/[\u001b\u202e]/)
})

test('colour wraps the text alone, so that columns still line up', () => {
  const rows = [[{ text: 'ok', tone: 'good' as const }, '1', 'r']]
  const text = formatTable({ columns, rows, color: true })
  expect(text.split('\n')[1]).toBe('\u001b[32mok\u001b[0m      1  r')
})
