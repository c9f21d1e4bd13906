import { latin1Encode } from '../latin1.ts'
import { RANGE_MAX, type Filter, type FilterTerm } from './filter.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text that can stand without quotes for these bytes, if there is one. */
const bareOf = (bytes: string): string | null => {
  try {
    const text = utf8.decode(latin1Encode(bytes))
    return /^[^\s()"\p{C}]+$/u.test(text) ? text : null
  } catch {
    return null
  }
}

const hex = (byte: string): string => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`

const quoted = (bytes: string): string =>
  `"${bytes.replaceAll(/["\\]|[^ -~]/g, (found) => (found === '"' || found === '\\' ? `\\${found}` : hex(found)))}"`

const valueOf = (bytes: string): string => bareOf(bytes) ?? quoted(bytes)

const range = ({ from, to }: { from: number; to: number }, max: number): string =>
  from === to ? String(from) : `${from}..${to === max ? '' : to}`

const printTerm = (term: FilterTerm): string => {
  switch (term.kind) {
    case 'cmd':
      return `cmd:${valueOf(term.subcommand === null ? term.verb : `${term.verb}|${term.subcommand}`)}`
    case 'category':
      return `cmd:@${term.name}`
    case 'key':
      return `key:${valueOf(term.glob)}`
    case 'arg':
      return `arg${term.index ?? ''}:${valueOf(term.glob)}`
    case 'client':
      // A bare text of this form is a network.
      return `client:${term.text.includes('/') ? quoted(term.text) : valueOf(term.text)}`
    case 'network':
      return `client:${term.cidr}`
    case 'namespace':
      return `db:${/^[\d.]/.test(term.name) ? quoted(term.name) : valueOf(term.name)}`
    case 'time':
      return `time:${term.from}..${term.to === RANGE_MAX.time ? '' : term.to}`
    case 'db':
    case 'segment':
    case 'slot':
      return `${term.kind}:${range(term, RANGE_MAX[term.kind])}`
    case 'masked':
    case 'error':
      return `${term.kind}:${term.is ? 'yes' : 'no'}`
  }
}

/** Prints a filter so that {@link parseFilter} reads the same tree. */
export const printFilter = (filter: Filter): string => {
  if (filter.kind === 'not') return `not ${printWithin(filter.of, 'and', 'or')}`
  if (filter.kind === 'and') return filter.of.map((each) => printWithin(each, 'and', 'or')).join(' and ')
  if (filter.kind === 'or') return filter.of.map((each) => printWithin(each, 'or')).join(' or ')
  return printTerm(filter)
}

/** In parentheses when it is of one of these kinds. */
const printWithin = (filter: Filter, ...grouped: Filter['kind'][]): string =>
  grouped.includes(filter.kind) ? `(${printFilter(filter)})` : printFilter(filter)
