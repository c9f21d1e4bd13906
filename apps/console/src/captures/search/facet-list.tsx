import type { Capture, Facet, SearchFacets } from '@sonde/contracts'
import { inertBytes } from '../../ui/inert.ts'
import { formatCount } from '../../ui/units.ts'
import { facetTerm, type TermFacet } from '../filter/filter-terms.ts'
import { segmentClass } from '../segment-colour.ts'
import { labelOf } from '../tail/line.tsx'

const FACETS: readonly (readonly [TermFacet, string, string])[] = [
  ['verb', 'Command', 'no command'],
  ['keyPrefix', 'Key prefix', 'no key'],
  ['client', 'Client', 'no client'],
]

/** Values that are shown of one facet before "more". */
const SHOWN = 8

interface FacetListProps {
  capture: Capture
  facets: SearchFacets
  /** Narrows the filter by a term. */
  onTerm: (term: string) => void
  onSegment: (segmentNo: number) => void
}

/** The lines that match by command, key prefix, client and segment; a value narrows to its lines. */
export const FacetList = ({ capture, facets, onTerm, onSegment }: FacetListProps) => (
  <div className="facets" role="group" aria-label="Facets">
    {FACETS.map(([name, title, none]) => (
      <section key={name}>
        <h3>{title}</h3>
        <FacetValues facet={facets[name]} none={none} termOf={(value) => facetTerm(name, value)} onTerm={onTerm} />
      </section>
    ))}
    <section>
      <h3>Segment</h3>
      <ul>
        {facets.segment.map(({ segmentNo, lines }) => (
          <li key={segmentNo}>
            <button type="button" className="link" onClick={() => onSegment(segmentNo)}>
              <span className={`segment-label ${segmentClass(segmentNo)}`}>
                {segmentNo} {labelOf(capture, segmentNo)}
              </span>
            </button>{' '}
            <span className="number">{formatCount(lines)}</span>
          </li>
        ))}
      </ul>
    </section>
  </div>
)

interface FacetValuesProps {
  facet: Facet
  /** What lines without a value lack. */
  none: string
  termOf: (value: string) => string | undefined
  onTerm: (term: string) => void
}

const FacetValues = ({ facet, none, termOf, onTerm }: FacetValuesProps) => {
  const item = ({ value, lines }: Facet['values'][number]) => {
    const term = termOf(value)
    const text = inertBytes(value)
    return (
      <li key={value}>
        {term === undefined ? (
          <code>{text}</code>
        ) : (
          <button type="button" className="link" title={term} onClick={() => onTerm(term)}>
            <code>{text}</code>
          </button>
        )}{' '}
        <span className="number">{formatCount(lines)}</span>
      </li>
    )
  }
  const rest = facet.values.slice(SHOWN)
  return (
    <>
      <ul>
        {facet.values.slice(0, SHOWN).map(item)}
        {facet.none > 0 && (
          <li className="quiet">
            {none} <span className="number">{formatCount(facet.none)}</span>
          </li>
        )}
        {facet.other > 0 && (
          <li className="quiet">
            other values <span className="number">{formatCount(facet.other)}</span>
          </li>
        )}
      </ul>
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} more</summary>
          <ul>{rest.map(item)}</ul>
        </details>
      )}
    </>
  )
}
