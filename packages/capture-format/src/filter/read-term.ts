import { CAPTURE_LIMITS } from '@sonde/contracts'
import { CATEGORIES } from './category.ts'
import { readEventTime } from './event-time.ts'
import { FilterError, RANGE_MAX, type FilterTerm } from './filter.ts'
import { compileGlob } from './glob.ts'
import { Network } from './network.ts'
import { readValue, type TermValue } from './read-value.ts'

const upper = (text: string): string => text.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())

const NAMES = /^(cmd|key|client|db|segment|slot|time|arg|arg\d{1,4}|masked|error)$/

interface TermText {
  text: string
  name: string
  value: TermValue
}

/** Reads the term whose name, as written, begins at `start`; a colon is behind it. Throws a {@link FilterError}. */
export const readTerm = (text: string, written: { name: string; start: number }): { term: FilterTerm; end: number } => {
  const name = written.name.toLowerCase()
  if (!NAMES.test(name)) {
    const names = 'cmd, key, client, db, segment, slot, time, arg, arg1, arg2, ..., masked and error'
    throw new FilterError(text, written.start, `there is no term "${written.name}"; the terms are ${names}`)
  }
  if (/^arg0+$/.test(name)) {
    throw new FilterError(text, written.start, 'arguments are counted from 1; the command itself is cmd')
  }
  const value = readValue(text, written.start + name.length + 1, name)
  return { term: meaningOf({ text, name, value }), end: value.end }
}

const meaningOf = (term: TermText): FilterTerm => {
  const { name, value } = term
  const fail = (problem: string): never => failAt(term, problem)
  if (value.bytes.length > CAPTURE_LIMITS.filter.patternBytes) {
    fail(`the value has ${value.bytes.length} bytes, ${CAPTURE_LIMITS.filter.patternBytes} are allowed`)
  }
  switch (name) {
    case 'cmd':
      return readCommand(value.bytes, fail)
    case 'key':
      return { kind: 'key', glob: checkedGlob(value.bytes, fail) }
    case 'client':
      return readClient(value, fail)
    case 'db':
      return readDb(term)
    case 'segment':
    case 'slot':
      return { kind: name, ...readRange(term, RANGE_MAX[name]) }
    case 'time':
      return readTime(term)
    case 'masked':
    case 'error':
      if (value.bytes !== 'yes' && value.bytes !== 'no') fail(`expected ${name}:yes or ${name}:no`)
      return { kind: name, is: value.bytes === 'yes' }
    default:
      return { kind: 'arg', index: Number(name.slice(3)) || null, glob: checkedGlob(value.bytes, fail) }
  }
}

type Fail = (problem: string) => never

const failAt = ({ text, value }: TermText, problem: string): never => {
  throw new FilterError(text, value.start, problem)
}

const checkedGlob = (glob: string, fail: Fail): string => {
  try {
    compileGlob(glob)
    return glob
  } catch (error) {
    return fail(error instanceof RangeError ? error.message : String(error))
  }
}

const readCommand = (bytes: string, fail: Fail): FilterTerm => {
  if (/[*?[\]]/.test(bytes)) fail('a command is named whole, as in cmd:GET; patterns are for key and arg')
  if (bytes.startsWith('@')) {
    const name = bytes.slice(1).toLowerCase()
    if (!CATEGORIES.includes(name)) fail(`there is no category of this name; they are @${CATEGORIES.join(' @')}`)
    return { kind: 'category', name }
  }
  const [verb = '', subcommand, ...rest] = upper(bytes).split('|')
  if (verb === '' || subcommand === '' || rest.length > 0) fail('expected a command, as in cmd:GET or cmd:CLIENT|LIST')
  return { kind: 'cmd', verb, subcommand: subcommand ?? null }
}

const readClient = ({ bytes, isQuoted }: TermValue, fail: Fail): FilterTerm => {
  if (bytes === '') fail('expected a part of a client address, as in client:10.0.0.7')
  if (isQuoted || !/^[0-9a-f.:]+\/\d+$/i.test(bytes)) return { kind: 'client', text: bytes }
  if (Network.parse(bytes) === null) fail('expected a network, as in client:10.0.0.0/8 or client:fd00::/8')
  return { kind: 'network', cidr: bytes.toLowerCase() }
}

const readDb = (term: TermText): FilterTerm => {
  const { bytes, isQuoted } = term.value
  if (!isQuoted && /^[\d.]/.test(bytes)) return { kind: 'db', ...readRange(term, RANGE_MAX.db) }
  return bytes === '' ? failAt(term, 'expected a db, as in db:0') : { kind: 'namespace', name: bytes }
}

const readRange = (term: TermText, max: number): { from: number; to: number } => {
  const { name, value } = term
  const [, first = '', dots, last = ''] = /^(\d{0,10})(\.\.)?(\d{0,10})$/.exec(value.bytes) ?? []
  if (first === '' && last === '') {
    return failAt(term, `expected a number or a range from 0 to ${max}, as in ${name}:3 or ${name}:0..3`)
  }
  const from = first === '' ? 0 : Number(first)
  const to = dots === undefined ? from : last === '' ? max : Number(last)
  if (from > max || to > max) failAt(term, `the largest ${name} is ${max}`)
  if (from > to) failAt(term, `the range ends (${to}) before it begins (${from})`)
  return { from, to }
}

const readTime = (term: TermText): FilterTerm => {
  const { text, value } = term
  const parts = value.bytes.split('..')
  const [first = '', last = ''] = parts
  if (parts.length !== 2 || (first === '' && last === '')) {
    failAt(
      term,
      'expected time:FROM..TO, as in time:2026-01-31T08:00:00Z..2026-01-31T08:15:00Z; one end may be left out',
    )
  }
  const read = (part: string, offset: number): number =>
    readEventTime(part) ??
    failAt(
      { ...term, value: { ...value, start: Math.min(offset, text.length) } },
      'expected a time in microseconds since 1970, or ISO 8601 with a zone, as in 2026-01-31T08:00:00Z',
    )
  const start = value.start + (value.isQuoted ? 1 : 0)
  const from = first === '' ? 0 : read(first, start)
  const to = last === '' ? RANGE_MAX.time : read(last, start + first.length + 2)
  if (from > to) failAt(term, 'the time range ends before it begins')
  return { kind: 'time', from, to }
}
