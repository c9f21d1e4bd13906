import type { z } from 'zod'

/** One thing that validation found wrong. */
export type Issue = z.core.$ZodIssue

const TYPES: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}
const UNITS: Record<string, string> = { string: ' characters', array: ' items' }

const boundOf = ({ origin, inclusive }: { origin: string; inclusive?: boolean | undefined }, words: string[]) => {
  const [atLeast, moreThan] = words
  const verb = origin === 'string' || origin === 'array' ? 'have' : 'be'
  return (bound: number | bigint) =>
    `must ${verb} ${inclusive === false ? moreThan : atLeast} ${bound}${UNITS[origin] ?? ''}`
}

const oneOf = (values: readonly unknown[]): string => {
  const texts = values.map(String)
  return texts.length === 1 ? `must be ${texts[0]}` : `must be one of ${texts.join(', ')}`
}

/** What is allowed where validation failed, in words that follow the field's name; never the value that was sent. */
export const issueWords = (issue: Issue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? 'is missing'
        : `must be ${TYPES[issue.expected] ?? issue.expected}`
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'must not be empty'
      return boundOf(issue, ['at least', 'more than'])(issue.minimum)
    case 'too_big':
      return boundOf(issue, ['at most', 'less than'])(issue.maximum)
    case 'invalid_value':
      return oneOf(issue.values)
    case 'unrecognized_keys':
      return `must not have ${issue.keys.map((key) => `"${key.slice(0, 64)}"`).join(', ')}, which is not known here`
    case 'invalid_union':
      return unionWords(issue)
    case 'invalid_format':
      if (issue.format === 'datetime') return 'must be a time with its zone, such as 2026-11-24T10:00:00Z'
      return issue.message.startsWith('Invalid') ? 'is not in the form that it must have' : issue.message
    case 'invalid_key':
      return `has a key that ${issue.issues.map(issueWords).join(', and ')}`
    case 'custom':
    case 'invalid_element':
    case 'not_multiple_of':
      return issue.message
  }
}

const unionWords = (issue: Extract<Issue, { code: 'invalid_union' }>): string => {
  if ('options' in issue && Array.isArray(issue.options)) return oneOf(issue.options)
  const ways = new Set(issue.errors.flatMap(([first]) => (first ? issueWords(first) : [])))
  return ways.has('is missing') ? 'is missing' : [...ways].join(', or ')
}
