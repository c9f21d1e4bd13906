import { expect, test } from 'vitest'
import { markdownOf } from './print-report.ts'

test('Markdown keeps texts of a capture in code, whatever they hold, and says what is left out', () => {
  const columns = [
    { title: 'KEY', isCode: true },
    { title: 'COUNT', align: 'right' as const },
  ]
  const report = {
    title: 'What differs',
    remarks: ['Note: a*b*c'],
    tables: [
      {
        title: 'Hot keys',
        columns,
        rows: [
          ['a|`b`', '1'],
          ['<b>', '2|'],
        ],
        more: 3,
      },
    ],
  }
  expect(markdownOf(report)).toBe(
    [
      '## What differs',
      '',
      '- Note: a\\*b\\*c',
      '',
      '### Hot keys',
      '',
      '| KEY | COUNT |',
      '| --- | ---: |',
      '| `` a\\|`b` `` | 1 |',
      '| `<b>` | 2\\| |',
      '',
      '(and 3 more rows; --limit shows more)',
      '',
    ].join('\n'),
  )
})
