import { expect, test } from 'vitest'
import { columnsText, readCaptureView, segmentsParameter, segmentsText } from './capture-view.ts'
import { lineChoice } from './line-choice.ts'

test('an address gives back the choice of lines that it was made of', () => {
  const view = readCaptureView({
    view: 'search',
    q: 'cmd:GET',
    segments: '2,0,2',
    from: 10,
    to: 20,
    columns: 'client,time',
  })
  expect(view).toEqual({ view: 'search', q: 'cmd:GET', segments: '0,2', from: 10, to: 20, columns: 'time,client' })
  expect(readCaptureView({ ...view })).toEqual(view)
  expect(lineChoice(view)).toEqual({
    filter: 'cmd:GET time:10..20',
    segments: [0, 2],
    range: { from: 10, to: 20 },
    columns: ['time', 'client'],
  })
})

test('an address that says nothing means every line, in the columns of old', () => {
  expect(readCaptureView({})).toEqual({})
  expect(lineChoice({})).toEqual({
    filter: '',
    segments: [],
    range: undefined,
    columns: ['time', 'segment', 'client'],
  })
})

test('what an address has that is no choice is left out', () => {
  const raw = { view: 'other', q: '  ', segments: 'a,-1,1e9', from: 20, to: 10, columns: 'x' }
  expect(readCaptureView(raw)).toEqual({ columns: 'none' })
  expect(readCaptureView({ from: 10 })).toEqual({})
  expect(readCaptureView({ from: 0.5, to: 'x', q: { a: 1 } })).toEqual({})
})

test('a filter that is a number to the router is still a filter, and a long one is cut at what the server takes', () => {
  expect(readCaptureView({ q: 42, segments: 3 })).toEqual({ q: '42', segments: 3 })
  expect(readCaptureView({ q: 'x'.repeat(5000) }).q).toHaveLength(4096)
})

test('columns and segments are absent from an address while they are as unasked', () => {
  expect(columnsText(['client', 'segment', 'time'])).toBeUndefined()
  expect(columnsText(['time'])).toBe('time')
  expect(columnsText([])).toBe('none')
  expect(segmentsText([])).toBeUndefined()
  expect(segmentsParameter([3])).toBe(3)
  expect(segmentsParameter([3, 1])).toBe('1,3')
  expect(segmentsText([10, 9])).toBe('9,10')
})
