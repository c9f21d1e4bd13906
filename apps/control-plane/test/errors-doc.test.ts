import { readFile } from 'node:fs/promises'
import { ERRORS } from '@sonde/contracts'
import { expect, test } from 'vitest'

const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
const entries = page
  .split(/^### /m)
  .slice(1)
  .map((text) => ({ code: text.slice(0, text.indexOf('\n')), text }))

test('docs/errors.md has one entry for each code, in the order of the table', () => {
  expect(entries.map(({ code }) => code)).toEqual(Object.keys(ERRORS))
})

test.each(Object.entries(ERRORS))(
  'the entry of %s tells what the table says, the cause, and what to do',
  (code, row) => {
    const text = entries.find((entry) => entry.code === code)?.text ?? ''
    expect(text).toContain(`- Status: ${row.http} ${row.rpc}\n`)
    expect(text).toContain(`- Retryable: ${row.retryable ? 'yes' : 'no'}\n`)
    expect(text).toMatch(/^- Cause: \S.{20,}$/m)
    expect(text).toMatch(/^- What to do: \S.{10,}$/m)
  },
)
