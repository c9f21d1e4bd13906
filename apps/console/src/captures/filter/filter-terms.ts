import { decodeArgument, latin1Decode, latin1Encode } from '@sonde/capture-format'
import { FilterError, parseFilter, printFilter, type Filter } from '@sonde/capture-format/filter'
import type { TimeRange } from '../capture-view.ts'

/** What is wrong with a filter, and the character before which; undefined when it can be read. */
export const filterProblem = (text: string): { message: string; column: number } | undefined => {
  try {
    parseFilter(text)
    return undefined
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    return { message: error.message, column: error.column }
  }
}

/** Both filters at once; a part with `or` is put in parentheses. Of one that cannot be read nothing is known, so it stays as it is. */
export const andFilters = (...texts: readonly string[]): string => {
  const parts = texts.map((text) => text.trim()).filter(Boolean)
  if (parts.length < 2) return parts.join('')
  return parts.map((part) => (kindOf(part) === 'or' ? `(${part})` : part)).join(' ')
}

const kindOf = (text: string): Filter['kind'] | undefined => {
  try {
    return parseFilter(text)?.kind
  } catch {
    return undefined
  }
}

/** The filter that a page means: as typed, within its time range. */
export const filterOf = (text: string, range: TimeRange | undefined): string =>
  andFilters(text, range === undefined ? '' : printFilter({ kind: 'time', ...range }))

/** Only these segments, in ascending order, as a filter says it; all of them for none. */
export const inSegments = (text: string, segments: readonly number[]): string =>
  andFilters(
    text,
    runsOf(segments)
      .map((run) => printFilter({ kind: 'segment', ...run }))
      .join(' or '),
  )

/** Neighbours as one range, since a filter has 64 terms and a capture 1,024 segments. */
const runsOf = (numbers: readonly number[]): { from: number; to: number }[] => {
  const runs: { from: number; to: number }[] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last && last.to === number - 1) last.to = number
    else runs.push({ from: number, to: number })
  }
  return runs
}

/** Narrows a filter by a term that is not in it yet. */
export const narrow = (text: string, term: string): string =>
  text.split(/\s+/).includes(term) ? text : andFilters(text, term)

export type TermFacet = 'verb' | 'keyPrefix' | 'client'

/** The term that chooses a facet's value, bytes read as Latin-1; undefined where no filter can say it. */
export const facetTerm = (facet: TermFacet, value: string): string | undefined => {
  const meaning = meaningOf(facet, value)
  const term = meaning && printFilter(meaning)
  return term !== undefined && filterProblem(term) === undefined ? term : undefined
}

const meaningOf = (facet: TermFacet, value: string): Filter | undefined => {
  switch (facet) {
    case 'verb':
      return { kind: 'cmd', verb: value, subcommand: null }
    case 'keyPrefix': {
      // It comes as the server prints it, and a pattern means the key's own bytes.
      const key = decodedOf(value)?.replaceAll(/[*?[\]\\]/g, (each) => `\\${each}`)
      if (key === undefined) return undefined
      return { kind: 'key', glob: value.endsWith(':') ? `${key}*` : key }
    }
    case 'client':
      // A text would choose 10.0.0.70 with 10.0.0.7.
      if (/^\d+(\.\d+){3}$/.test(value)) return { kind: 'network', cidr: `${value}/32` }
      if (/^\[[0-9a-f:.]+\]$/i.test(value)) return { kind: 'network', cidr: `${value.slice(1, -1)}/128` }
      return { kind: 'client', text: value }
  }
}

/** The bytes that the text of an argument stands for; undefined for one that is cut within an escape. */
const decodedOf = (printed: string): string | undefined => {
  const bytes = latin1Encode(printed)
  try {
    return latin1Decode(decodeArgument(bytes, 0, bytes.length))
  } catch {
    return undefined
  }
}
