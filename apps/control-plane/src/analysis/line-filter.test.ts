import { MonitorLine, parseMonitorLine, printMonitorLine } from '@sonde/capture-format'
import { compileFilter, parseFilter } from '@sonde/capture-format/filter'
import { Profile, PROFILE_TABLES, Profiler, readTableKey, type ProfileTable } from '@sonde/capture-format/profile'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineFilterOf } from './line-filter.ts'

const filterOf = (table: ProfileTable, text: string) => lineFilterOf(table, Buffer.from(text, 'latin1'))

test('each finding has a filter for its lines, where one can find them', () => {
  expect(filterOf('shapes', 'GET 1 user:{n}:*')).toBe('cmd:GET and key:user:*:\\*')
  expect(filterOf('shapes', 'CLIENT|LIST 1')).toBe('cmd:CLIENT|LIST')
  expect(filterOf('shapes', 'EVAL(0123,1) 3 lock:{uuid}')).toBe('cmd:EVAL and key:lock:*')
  expect(filterOf('shapes', 'GET 1 {masked}')).toBe('cmd:GET')
  expect(filterOf('shapes', '? 1')).toBeNull()
  expect(filterOf('verbs', 'CLIENT|?')).toBe('cmd:CLIENT')
  expect(filterOf('verbs', '@ALL')).toBeNull()
  expect(filterOf('dbs', '3')).toBe('db:3')
  expect(filterOf('prefixes', 'a b:')).toBe('key:"a b:*"')
  expect(filterOf('prefixes', '')).toBeNull()
  expect(filterOf('keys', '\xff')).toBe('key:"\\xff"')
})

test('the filter of a count matches the line that was counted', () => {
  const part = fc.constantFrom(
    'user',
    ':',
    '17',
    '*',
    '?',
    '[a]',
    '\\',
    '{x}',
    '{n}',
    '"',
    ' ',
    '\xff\x01',
    'ab12cd34',
    'x'.repeat(70),
  )
  const text = fc.oneof(
    fc.array(part, { maxLength: 6 }).map((parts) => Buffer.from(parts.join(''), 'latin1')),
    fc.uint8Array({ maxLength: 12 }),
  )
  const verb = fc.oneof(
    fc
      .constantFrom('get', 'MSET', 'EVAL', 'fcall', 'client', 'object', 'nosuch', '@all', 'a|b', 'a(b', '"')
      .map((each) => Buffer.from(each)),
    text,
  )
  const printed = fc.record({
    db: fc.constantFrom('0', '15', 'name'),
    source: fc.constantFrom('10.0.0.1:50', '[::1]:7', 'lua', '', 'unix:/tmp/x y:0'),
    args: fc.tuple(verb, fc.array(text, { maxLength: 4 })).map(([first, rest]) => [first, ...rest]),
  })
  const line = new MonitorLine()
  const profiler = new Profiler({ dialect: 'bracket' })
  let matched = 0
  fc.assert(
    fc.property(printed, (each) => {
      const bytes = printMonitorLine({ eventUs: 1, ...each })
      const profile = new Profile()
      profiler.add(profile, Buffer.concat([bytes, Buffer.from('\n')]), { hasCutLine: false })
      const error = parseMonitorLine(bytes, 0, bytes.length, line)
      for (const table of Object.keys(PROFILE_TABLES) as ProfileTable[]) {
        for (const entry of profile[table].entries()) {
          const filter = lineFilterOf(table, table === 'keys' ? readTableKey(entry.text).key : entry.text)
          if (filter === null) continue
          matched += 1
          expect([filter, compileFilter(parseFilter(filter)!, { segmentNo: 0 })(line, error)]).toEqual([filter, true])
        }
      }
    }),
    { numRuns: 300 },
  )
  expect(matched).toBeGreaterThan(500)
})
