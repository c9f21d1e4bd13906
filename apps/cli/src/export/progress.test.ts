import type { ExportFacts } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { formatProgress, fractionOf } from './progress.ts'

const facts = (more: Partial<ExportFacts>) =>
  ({ format: 'csv', filter: null, lines: 200, bytes: 1000, ...more }) as ExportFacts

test('how far an export is follows from its lines, of raw from its bytes; under a filter nobody knows', () => {
  const count = { bytes: 250, lines: 100 }
  expect(fractionOf(facts({}), count)).toBe(0.5)
  expect(fractionOf(facts({ format: 'raw' }), count)).toBe(0.25)
  expect(fractionOf(facts({ lines: 50 }), count)).toBe(1)
  expect(fractionOf(facts({ lines: 0 }), { bytes: 0, lines: 0 })).toBe(1)
  expect(fractionOf(facts({ filter: 'cmd:GET' }), count)).toBeUndefined()
  expect(fractionOf(facts({ format: 'parquet' }), count)).toBeUndefined()
})

test('the bar fills up, and the time left does not count what was there before', () => {
  expect(formatProgress(0, { bytes: 0, ms: 10 })).toBe(`[${' '.repeat(24)}]   0 %  0 B`)
  expect(formatProgress(0.5, { bytes: 2048, ms: 4000 })).toBe(
    `[${'#'.repeat(12)}${' '.repeat(12)}]  50 %  2.0 KiB  about 4.0 s left`,
  )
  expect(formatProgress(0.75, { bytes: 2048, ms: 4000, from: 0.5 })).toMatch(/ {2}75 % .* about 4\.0 s left$/)
  expect(formatProgress(1, { bytes: 2048, ms: 4000 })).toBe(`[${'#'.repeat(24)}] 100 %  2.0 KiB`)
  expect(formatProgress(undefined, { bytes: 2048, ms: 4000 })).toBe('2.0 KiB in 4.0 s')
})
