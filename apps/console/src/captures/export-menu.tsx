import type { ExportFormat } from '@sonde/contracts'
import { Menu } from '../ui/menu.tsx'
import { segmentsText } from './capture-view.ts'
import { filterProblem } from './filter/filter-terms.ts'
import type { LineChoice } from './line-choice.ts'

/** By name and not from the contracts' table, which would bring all their schemas into the page's script. */
const FORMATS: readonly (readonly [ExportFormat, string, string])[] = [
  ['raw', 'Raw', 'the lines as they are stored'],
  ['jsonl', 'JSON lines', 'one object a line'],
  ['json', 'JSON', 'one document'],
  ['csv', 'CSV', 'one row a line'],
  ['parquet', 'Parquet', 'for DuckDB, Spark and the like'],
  ['replay', 'Replay', 'what a load tool sends: whole, unmasked lines alone'],
]

/** Where an export of the chosen lines is. */
const exportUrl = (captureId: string, format: ExportFormat, { filter, segments }: LineChoice): string => {
  const chosen = segmentsText(segments)
  const query = new URLSearchParams({
    format,
    ...(filter !== '' && { filter }),
    ...(chosen !== undefined && { segments: chosen }),
  })
  return `/export/captures/${captureId}?${query}`
}

interface ExportMenuProps {
  captureId: string
  choice: LineChoice
}

/** The formats in which the chosen lines can be had. */
export const ExportMenu = ({ captureId, choice }: ExportMenuProps) => {
  if (filterProblem(choice.filter) !== undefined)
    return <span className="quiet">No export: the filter cannot be read</span>
  const isAll = choice.filter === '' && choice.segments.length === 0
  return (
    <Menu label="Export">
      {(close) => (
        <>
          <p className="quiet">
            {isAll ? 'All lines that are stored' : 'The stored lines of the filter and segments below'}
          </p>
          <ul>
            {FORMATS.map(([format, name, words]) => (
              <li key={format}>
                <a href={exportUrl(captureId, format, choice)} download onClick={close}>
                  {name}
                </a>{' '}
                <span className="quiet">{words}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Menu>
  )
}
