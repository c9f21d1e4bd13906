import { expect, test } from 'vitest'
import { codeIn } from './sign-in.ts'

const CODE = `${'aB3-_'.repeat(8)}xyz`

test('a code is found in a link and on its own', () => {
  expect(codeIn(CODE)).toBe(CODE)
  expect(codeIn(`  http://127.0.0.1:7373/#code=${CODE}\n`)).toBe(CODE)
  expect(codeIn(`#code=${CODE}`)).toBe(CODE)
})

test('what holds no code gives none, a token among it', () => {
  for (const text of ['', 'x', `${CODE}x`, `http://127.0.0.1/?code=${CODE}`, `sonde_p_${CODE}`]) {
    expect(codeIn(text)).toBeUndefined()
  }
})
