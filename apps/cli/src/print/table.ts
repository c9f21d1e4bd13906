import { cropped, displayWidth, plainText } from './plain-text.ts'
import { paint, type Tone } from './tone.ts'

/** One column. A column with `shrinks` gives way when the terminal is too narrow; ids never do. */
export interface Column {
  title: string
  align?: 'left' | 'right'
  shrinks?: boolean
}
export type Cell = string | { text: string; tone: Tone }

export interface TableOptions {
  columns: readonly Column[]
  rows: readonly (readonly Cell[])[]
  /** Columns of the terminal; without it nothing is cut. */
  width?: number | undefined
  /** @default false */
  color?: boolean | undefined
}

const GAP = 2
const NARROWEST = 8

/** A table with a title line; texts are made plain. Without rows there is the title line alone. */
export const formatTable = ({ columns, rows, width, color }: TableOptions): string => {
  const texts = rows.map((row) => row.map((cell) => plainText(typeof cell === 'string' ? cell : cell.text)))
  const natural = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...texts.map((row) => displayWidth(row[index] ?? ''))),
  )
  const widths = width === undefined ? natural : fitted(columns, natural, width)
  const line = (cells: readonly string[], tones: readonly (Tone | undefined)[]): string =>
    cells
      .map((text, index) => {
        const columnWidth = widths[index] ?? 0
        const shown = cropped(text, columnWidth)
        const space = ' '.repeat(columnWidth - displayWidth(shown))
        const painted = color === true ? paint(shown, tones[index]) : shown
        return columns[index]?.align === 'right' ? space + painted : painted + space
      })
      .join(' '.repeat(GAP))
      .trimEnd()
  const head = line(
    columns.map((column) => column.title),
    columns.map(() => 'dim'),
  )
  const body = texts.map((row, at) =>
    line(
      row,
      (rows[at] ?? []).map((cell) => (typeof cell === 'string' ? undefined : cell.tone)),
    ),
  )
  return [head, ...body].join('\n')
}

/** Takes what is too much from the columns that may shrink, from the widest first. */
const fitted = (columns: readonly Column[], natural: readonly number[], width: number): number[] => {
  const widths = [...natural]
  const total = (): number => widths.reduce((sum, each) => sum + each, 0) + GAP * (widths.length - 1)
  for (let excess = total() - width; excess > 0; excess -= 1) {
    const shrinkable = columns.flatMap((column, index) =>
      column.shrinks === true && (widths[index] ?? 0) > NARROWEST ? [index] : [],
    )
    const [widest] = shrinkable.toSorted((one, other) => (widths[other] ?? 0) - (widths[one] ?? 0))
    if (widest === undefined) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}
