import { expect, test } from 'vitest'
import { listFilter, localTime, readListSearch } from './list-view.ts'

const NOW = Date.parse('2026-03-02T12:00:00.000Z')

test('an address is read as far as it is known', () => {
  expect(readListSearch({ status: 'failed', span: '24h', from: '2026-03-01', to: 7, other: 1 })).toEqual({
    status: 'failed',
    span: '24h',
    from: '2026-03-01T00:00:00.000Z',
  })
  expect(readListSearch({ status: 'gone', span: '1y', from: 'soon' })).toEqual({})
})

test('a span counts back from now, and moments win over it', () => {
  expect(listFilter({}, NOW)).toEqual({})
  expect(listFilter({ span: '1h', status: 'partial' }, NOW)).toEqual({
    status: ['partial'],
    startedAfter: '2026-03-02T11:00:00.000Z',
  })
  expect(listFilter({ span: '1h', to: '2026-02-01T00:00:00.000Z' }, NOW)).toEqual({
    startedBefore: '2026-02-01T00:00:00.000Z',
  })
})

test('a moment goes into a field of local time and comes back', () => {
  expect(localTime(undefined)).toBe('')
  const at = '2026-03-02T12:34:00.000Z'
  expect(new Date(localTime(at)).toISOString()).toBe(at)
})
