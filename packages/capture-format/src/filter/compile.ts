import { isDigit } from '../ascii.ts'
import { latin1Encode } from '../latin1.ts'
import type { LineErrorKind, MonitorLine } from '../monitor-line.ts'
import { hashSlot } from '../hash-slot.ts'
import { compileCategory } from './category.ts'
import type { Filter, FilterTerm } from './filter.ts'
import { compileGlob, compileSubstring } from './glob.ts'
import { LineView } from './line-view.ts'
import { Network } from './network.ts'

/** Whether a line is wanted. The parse is that of the line; what `error` kept from being read matches no term. */
export type LinePredicate = (line: MonitorLine, error: LineErrorKind | null) => boolean

type Test = (view: LineView) => boolean

/**
 * Compiles a filter to a predicate that works on the offsets of a parsed line and allocates nothing for a line. Its time
 * is bounded by the line's length times the filter's.
 */
export const compileFilter = (filter: Filter, lines: { segmentNo: number }): LinePredicate => {
  const view = new LineView()
  const test = compile(filter, lines.segmentNo)
  return (line, error) => {
    view.load(line, error)
    return test(view)
  }
}

const compile = (filter: Filter, segmentNo: number): Test => {
  if (filter.kind === 'not') {
    const test = compile(filter.of, segmentNo)
    return (view) => !test(view)
  }
  if (filter.kind !== 'and' && filter.kind !== 'or') return compileTerm(filter, segmentNo)
  const tests = filter.of.map((each) => compile(each, segmentNo))
  const decides = filter.kind === 'or'
  return (view) => {
    for (const test of tests) if (test(view) === decides) return decides
    return !decides
  }
}

const compileTerm = (term: FilterTerm, segmentNo: number): Test => {
  switch (term.kind) {
    case 'cmd':
      return commandTest(term.verb, term.subcommand)
    case 'category': {
      const isIn = compileCategory(term.name)
      return ({ line }) => isIn(line)
    }
    case 'key': {
      const glob = compileGlob(term.glob)
      return anyKey((view) => glob.matches(view.bytes, view.start, view.end))
    }
    case 'slot':
      return anyKey(({ bytes, start, end }) => isWithin(hashSlot(bytes, start, end), term))
    case 'arg':
      return argumentTest(term.glob, term.index)
    case 'client': {
      const part = compileSubstring(term.text)
      return ({ line }) => line.srcStart >= 0 && part.matches(line.bytes, line.srcStart, line.srcEnd)
    }
    case 'network': {
      const network = Network.parse(term.cidr)
      if (network === null) throw new TypeError('not a network')
      return ({ line }) => line.srcStart >= 0 && network.hasOrigin(line.bytes, line.srcStart, line.srcEnd)
    }
    case 'namespace': {
      const name = latin1Encode(term.name)
      return ({ line }) => isText(line.bytes, line.dbStart, { end: line.dbEnd, text: name })
    }
    case 'db':
      return ({ line, error }) => isWithin(dbOf(line, error), term)
    case 'segment': {
      const is = isWithin(segmentNo, term)
      return () => is
    }
    case 'time':
      return ({ line }) => isWithin(line.eventUs, term)
    case 'masked':
      return ({ line }) => line.hasMasked === term.is
    case 'error':
      return ({ error }) => (error !== null && error !== 'cut') === term.is
  }
}

const isWithin = (value: number, { from, to }: { from: number; to: number }): boolean => value >= from && value <= to

const isText = (bytes: Uint8Array, start: number, { end, text }: { end: number; text: Uint8Array }): boolean => {
  if (start < 0 || end - start !== text.length) return false
  for (let index = 0; index < text.length; index += 1) if (bytes[start + index] !== text[index]) return false
  return true
}

/** The db's number; -1 where it is a name or could not be read. */
const dbOf = ({ bytes, dbStart, dbEnd, argc }: MonitorLine, error: LineErrorKind | null): number => {
  // Without one it is 0, in the dialects that leave it out.
  if (dbStart < 0) return argc > 0 || error === null ? 0 : -1
  let db = 0
  for (let pos = dbStart; pos < dbEnd; pos += 1) {
    if (!isDigit(bytes[pos])) return -1
    db = db * 10 + bytes[pos]! - 0x30
  }
  return db
}

const anyKey =
  (test: Test): Test =>
  (view) => {
    const { keys } = view
    for (let index = 0; index < keys.length; index += 1) if (view.read(keys[index]!) && test(view)) return true
    return false
  }

const argumentTest = (pattern: string, index: number | null): Test => {
  const glob = compileGlob(pattern)
  const isMatch: Test = (view) => glob.matches(view.bytes, view.start, view.end)
  if (index !== null) return (view) => view.read(index) && isMatch(view)
  return (view) => {
    for (let each = 1; each < view.line.argc; each += 1) if (view.read(each) && isMatch(view)) return true
    return false
  }
}

/** The argument read last, in upper case, is this text. */
const isVerb = ({ bytes, start, end }: LineView, text: Uint8Array): boolean => {
  if (end - start !== text.length) return false
  for (let index = 0; index < text.length; index += 1) {
    const byte = bytes[start + index]!
    if ((byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte) !== text[index]) return false
  }
  return true
}

const commandTest = (verb: string, subcommand: string | null): Test => {
  const first = latin1Encode(verb)
  if (subcommand === null) return (view) => view.read(0) && isVerb(view, first)
  const second = latin1Encode(subcommand)
  return (view) => view.read(0) && isVerb(view, first) && view.read(1) && isVerb(view, second)
}
