import { issueWords, type Issue } from '@sonde/contracts'
import { UsageError } from './failure.ts'

interface InputSchema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: Issue[] } }
}

/** Checks the input of a call before it is made, so that a bad argument is a usage error and needs no connection. */
export const checkInput = <T>(schema: InputSchema<T>, value: unknown): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const words = issue === undefined ? 'is not valid' : issueWords(issue)
  throw new UsageError(`${issue?.path.map(String).join('.') || 'input'}: ${words}`)
}
