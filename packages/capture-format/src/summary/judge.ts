import { BACKSLASH, BRACKET_OPEN } from '../ascii.ts'
import { verbsOfCategory } from '../filter/category.ts'
import type { Filter, FilterTerm } from '../filter/filter.ts'
import { Network } from '../filter/network.ts'
import { latin1Encode } from '../latin1.ts'
import { mayHaveKey } from './key-set.ts'
import { SLOTS_OF_BIT, type ChunkSummary } from './summary.ts'

/** How many lines of a chunk a filter matches, as far as its summary tells: `none` and `all` are certain. */
export const Verdict = { none: 'none', some: 'some', all: 'all' } as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

const INVERSE: Record<Verdict, Verdict> = { none: 'all', some: 'some', all: 'none' }

/** What is certain of a filter when so much is certain of each of its terms. */
const judge = (filter: Filter, ofTerm: (term: FilterTerm) => Verdict): Verdict => {
  if (filter.kind === 'not') return INVERSE[judge(filter.of, ofTerm)]
  if (filter.kind !== 'and' && filter.kind !== 'or') return ofTerm(filter)
  const decides = filter.kind === 'or' ? Verdict.all : Verdict.none
  let isMixed = false
  for (const each of filter.of) {
    const verdict = judge(each, ofTerm)
    if (verdict === decides) return decides
    if (verdict === Verdict.some) isMixed = true
  }
  return isMixed ? Verdict.some : INVERSE[decides]
}

/** What a summary tells of a filter. Its lines need not be read when that is `none`, nor to be counted when it is `all`. */
export const judgeSummary = (summary: ChunkSummary, filter: Filter, { segmentNo }: { segmentNo: number }): Verdict =>
  judge(filter, (term) => judgeTerm(summary, term, segmentNo))

/** Whether any line of a segment may match, by the filter's segment numbers alone. */
export const mayMatchSegment = (filter: Filter, segmentNo: number): boolean =>
  judge(filter, (term) => {
    if (term.kind !== 'segment') return Verdict.some
    return isWithin(segmentNo, term) ? Verdict.all : Verdict.none
  }) !== Verdict.none

/** Event times outside of which no line matches, both ends inclusive; null where the filter bounds none. */
export const timeRangeOf = (filter: Filter): { from: number; to: number } | null => {
  if (filter.kind === 'time') return { from: filter.from, to: filter.to }
  if (filter.kind !== 'and' && filter.kind !== 'or') return null
  const isAnd = filter.kind === 'and'
  const ranges = filter.of.map(timeRangeOf)
  const known = ranges.filter((range) => range !== null)
  if (known.length === 0 || (!isAnd && known.length < ranges.length)) return null
  const outer = isAnd ? ([Math.max, Math.min] as const) : ([Math.min, Math.max] as const)
  return { from: outer[0](...known.map(({ from }) => from)), to: outer[1](...known.map(({ to }) => to)) }
}

const judgeTerm = (summary: ChunkSummary, term: FilterTerm, segmentNo: number): Verdict => {
  switch (term.kind) {
    case 'cmd':
      return judgeCommand(summary, term.verb, term.subcommand)
    case 'category': {
      const verbs = verbsOfCategory(term.name)
      const isThere = summary.otherVerbs > 0 || [...summary.verbs.keys()].some((verb) => verbs.has(verb))
      return isThere ? Verdict.some : Verdict.none
    }
    case 'key': {
      if (summary.keyed === 0) return Verdict.none
      const { head, isWhole } = literalHead(latin1Encode(term.glob))
      return summary.keys === null || mayHaveKey(summary.keys, head, isWhole) ? Verdict.some : Verdict.none
    }
    case 'slot':
      return hasSlot(summary, term) ? Verdict.some : Verdict.none
    case 'arg':
      return Verdict.some
    case 'client':
      return someText(summary.clients, (client) => client.includes(term.text))
    case 'network': {
      const network = Network.parse(term.cidr)
      return someText(summary.clients, (client) => {
        const bytes = latin1Encode(client)
        return network === null || network.hasOrigin(bytes, 0, bytes.length)
      })
    }
    case 'namespace':
      return someText(summary.dbs, (db) => db === term.name)
    case 'db':
      // Where the db is left out it is 0, but for lines that could not be read.
      return someText(summary.dbs, (db) => /^\d*$/.test(db) && isWithin(Number(db), term))
    case 'segment':
      return isWithin(segmentNo, term) ? Verdict.all : Verdict.none
    case 'time':
      return judgeTime(summary, term)
    case 'masked':
      return judgeCount(term.is ? summary.masked : summary.lines - summary.masked, summary.lines)
    case 'error':
      return judgeCount(term.is ? summary.errors : summary.lines - summary.errors, summary.lines)
  }
}

const isWithin = (value: number, { from, to }: { from: number; to: number }): boolean => value >= from && value <= to

const judgeCount = (count: number, lines: number): Verdict => {
  if (count === 0) return Verdict.none
  return count === lines ? Verdict.all : Verdict.some
}

const judgeCommand = ({ verbs, otherVerbs, lines }: ChunkSummary, verb: string, subcommand: string | null): Verdict => {
  const count = verbs.get(verb) ?? 0
  if (count === 0) return otherVerbs > 0 ? Verdict.some : Verdict.none
  return subcommand === null && count === lines ? Verdict.all : Verdict.some
}

const someText = (texts: readonly string[] | null, test: (text: string) => boolean): Verdict =>
  texts === null || texts.some(test) ? Verdict.some : Verdict.none

const judgeTime = (
  { firstEventUs, lastEventUs, untimed }: ChunkSummary,
  { from, to }: { from: number; to: number },
): Verdict => {
  if (lastEventUs < 0 || lastEventUs < from || firstEventUs > to) return Verdict.none
  return untimed === 0 && firstEventUs >= from && lastEventUs <= to ? Verdict.all : Verdict.some
}

const hasSlot = ({ slots }: ChunkSummary, { from, to }: { from: number; to: number }): boolean => {
  for (let bit = Math.floor(from / SLOTS_OF_BIT); bit <= Math.floor(to / SLOTS_OF_BIT); bit += 1) {
    if ((slots[bit >>> 3]! & (1 << (bit & 7))) !== 0) return true
  }
  return false
}

const STAR = 0x2a
const ANY = 0x3f

/** What every text that a glob matches begins with, and whether that is all of it. */
const literalHead = (glob: Uint8Array): { head: Uint8Array; isWhole: boolean } => {
  const head: number[] = []
  for (let pos = 0; pos < glob.length; pos += 1) {
    const byte = glob[pos]!
    if (byte === STAR || byte === ANY || byte === BRACKET_OPEN) return { head: Uint8Array.from(head), isWhole: false }
    if (byte === BACKSLASH) pos += 1
    head.push(glob[pos]!)
  }
  return { head: Uint8Array.from(head), isWhole: true }
}
