import { expect, test } from 'vitest'
import { describeError } from './describe-error.ts'

test('an error is described by its name, message, codes and causes, and by nothing else that it carries', () => {
  const connection = { password: 'planted' }
  const cause = Object.assign(new Error('refused'), { code: '57P01', client: connection, detail: 'planted' })
  const described = describeError(
    Object.assign(new Error('outer', { cause }), { constraint: 'pk', client: connection }),
  )
  expect(described).toMatchObject({ type: 'Error', message: 'outer', constraint: 'pk', cause: { code: '57P01' } })
  expect(JSON.stringify(described)).not.toContain('planted')
})

test('what is thrown and is no error is described by its type alone', () => {
  expect(describeError('planted')).toEqual({ type: 'string' })
})
