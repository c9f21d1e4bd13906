import { expect, test } from 'vitest'
import { selectionLines } from './capture-view.ts'

const segments = [{ counters: { filtered: 1000, sampledOut: 5 } }, { counters: { filtered: 234, sampledOut: 0 } }]

test('a capture of all lines says nothing of a filter', () => {
  expect(selectionLines({ filter: null, sampling: null, segments })).toEqual([])
})

test('filter and sample are shown with what they left out, and made plain', () => {
  const lines = selectionLines({ filter: 'key:\u001b[2J', sampling: { every: 10, by: 'client' }, segments })
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^filter: key:.*\[2J {2}\(.*: 1,234\)$/)
  expect(lines[1]).toMatch(/^sample: one client of 10 {2}\(.*: 5\)$/)
  expect(lines.join('')).not.toContain('\u001b')
})
