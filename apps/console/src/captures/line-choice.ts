import {
  columnsIn,
  DEFAULT_COLUMNS,
  isTimeRange,
  numbersIn,
  type CaptureView,
  type LineColumn,
  type TimeRange,
} from './capture-view.ts'
import { filterOf } from './filter/filter-terms.ts'

/** What the address asks for, read. */
export interface LineChoice {
  /** The filter with its time range; blank is every line. */
  filter: string
  /** Empty is all. */
  segments: readonly number[]
  range: TimeRange | undefined
  columns: readonly LineColumn[]
}

export const lineChoice = ({ q, segments, from, to, columns }: CaptureView): LineChoice => {
  const range = { from, to }
  const known = isTimeRange(range) ? range : undefined
  return {
    filter: filterOf(q ?? '', known),
    segments: numbersIn(segments === undefined ? undefined : String(segments)),
    range: known,
    columns: columns === undefined ? DEFAULT_COLUMNS : columnsIn(columns),
  }
}
