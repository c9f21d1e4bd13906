import type { Capture, Facet, SearchFacets } from '@sonde/contracts'
import { print, printTable } from './print/output.ts'
import { plainLatin1 } from './print/plain-text.ts'
import { formatCount } from './print/units.ts'

/** Values of a facet that are printed; JSON has all that the server tells. */
const SHOWN = 10

interface FacetTable {
  title: string
  rows: { value: string; lines: number }[]
}

const tableOf = (title: string, { values, other, none }: Facet): FacetTable => {
  const rows = values.slice(0, SHOWN).map(({ value, lines }) => ({ value: plainLatin1(value), lines }))
  const rest = values.slice(SHOWN).reduce((sum, { lines }) => sum + lines, other)
  if (rest > 0) rows.push({ value: '(others)', lines: rest })
  if (none > 0) rows.push({ value: '(none)', lines: none })
  return { title, rows }
}

/** One table for each facet; the lines of each sum to the total. */
export const facetTables = (facets: SearchFacets, captures: Capture[]): FacetTable[] => {
  const addresses = new Map(
    captures.flatMap(({ id, segments }) =>
      segments.map(({ segmentNo, targetHost, targetPort }) => [`${id}/${segmentNo}`, `${targetHost}:${targetPort}`]),
    ),
  )
  const segments = facets.segment.map(({ captureId, segmentNo, lines }) => {
    const address = addresses.get(`${captureId}/${segmentNo}`) ?? ''
    return { value: `${captures.length > 1 ? `${captureId} ` : ''}${segmentNo} ${address}`, lines }
  })
  return [
    tableOf('COMMAND', facets.verb),
    tableOf('KEY PREFIX', facets.keyPrefix),
    tableOf('CLIENT', facets.client),
    { title: 'SEGMENT', rows: segments },
  ]
}

export const printFacets = async (tables: readonly FacetTable[]): Promise<void> => {
  for (const { title, rows } of tables) {
    if (rows.length === 0) continue
    await print('')
    await printTable(
      [
        { title, shrinks: true },
        { title: 'LINES', align: 'right' },
      ],
      rows.map(({ value, lines }) => [value, formatCount(lines)]),
    )
  }
}
