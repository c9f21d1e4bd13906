import { compileFilter, parseFilter } from '@sonde/capture-format/filter'
import { latin1Encode, MonitorLine, parseMonitorLine } from '@sonde/capture-format'
import { expect, test } from 'vitest'
import { andFilters, facetTerm, filterOf, filterProblem, inSegments, narrow } from './filter-terms.ts'

/** Whether the filter chooses a line as a server prints it. */
const matches = (filter: string | undefined, text: string): boolean => {
  const line = new MonitorLine()
  const bytes = latin1Encode(text)
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  return compileFilter(parseFilter(filter ?? 'not cmd:GET not (not cmd:GET)')!, { segmentNo: 0 })(line, error)
}
const lineOf = (command: string, client = '10.0.0.7:50123') => `1795251178.000045 [0 ${client}] ${command}`

test('a filter that cannot be read is told with the character at which it breaks off', () => {
  expect(filterProblem('cmd:GET key:user:*')).toBeUndefined()
  expect(filterProblem('')).toBeUndefined()
  expect(filterProblem('cmd:GET foo:1')).toMatchObject({ column: 9 })
})

test('filters are joined so that each still means what it meant', () => {
  expect(andFilters('', ' cmd:GET ')).toBe('cmd:GET')
  expect(andFilters('cmd:GET or cmd:SET', 'db:0')).toBe('(cmd:GET or cmd:SET) db:0')
  expect(filterOf('cmd:GET or cmd:SET', { from: 1, to: 2 })).toBe('(cmd:GET or cmd:SET) time:1..2')
  expect(filterOf('', undefined)).toBe('')
  expect(narrow('cmd:GET db:0', 'db:0')).toBe('cmd:GET db:0')
})

test('neighbouring segments are one term, so that 1,024 of them are within the bounds of a filter', () => {
  expect(inSegments('cmd:GET', [0, 1, 2, 7])).toBe('cmd:GET (segment:0..2 or segment:7)')
  expect(inSegments('', [4])).toBe('segment:4')
  expect(inSegments('cmd:GET', [])).toBe('cmd:GET')
  expect(
    filterProblem(
      inSegments(
        '',
        Array.from({ length: 1024 }, (_, no) => no),
      ),
    ),
  ).toBeUndefined()
})

test('the term of a key prefix chooses its keys and no others, whatever bytes they have', () => {
  for (const prefix of ['user:', 'a*b?[c]:', '\\xff\\x00 "\\\\:'.replace('"', '\\"'), 'q^(or):']) {
    const term = facetTerm('keyPrefix', prefix)
    expect(matches(term, lineOf(`"GET" "${prefix}42"`)), prefix).toBe(true)
    expect(matches(term, lineOf('"GET" "axb1c:42"')), prefix).toBe(false)
  }
  expect(matches(facetTerm('keyPrefix', 'counter'), lineOf('"INCR" "counter"'))).toBe(true)
  expect(matches(facetTerm('keyPrefix', 'counter'), lineOf('"INCR" "counter2"'))).toBe(false)
})

test('the term of a client chooses this address and not one that begins like it', () => {
  const term = facetTerm('client', '10.0.0.7')
  expect(term).toBe('client:10.0.0.7/32')
  expect(matches(term, lineOf('"PING"'))).toBe(true)
  expect(matches(term, lineOf('"PING"', '10.0.0.70:1'))).toBe(false)
  expect(matches(facetTerm('client', '[::1]'), lineOf('"PING"', '[::1]:5'))).toBe(true)
  expect(facetTerm('client', 'lua')).toBe('client:lua')
})

test('the term of a command chooses it, and what no filter can say has no term', () => {
  expect(matches(facetTerm('verb', 'GET'), lineOf('"get" "k"'))).toBe(true)
  expect(facetTerm('verb', 'GE*T')).toBeUndefined()
  expect(facetTerm('verb', '@all')).not.toBe('cmd:GET')
  expect(facetTerm('keyPrefix', 'cut\\x4')).toBeUndefined()
  expect(facetTerm('keyPrefix', `${'k'.repeat(140)}:`)).toBeUndefined()
})
