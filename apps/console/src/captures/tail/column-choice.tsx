import { Menu } from '../../ui/menu.tsx'
import { LINE_COLUMNS, type LineColumn } from '../capture-view.ts'

const COLUMN_WORDS: Record<LineColumn, string> = {
  time: 'time',
  segment: 'segment',
  client: 'client and db',
  chunk: 'chunk and line',
}

interface ColumnChoiceProps {
  columns: readonly LineColumn[]
  onChange: (columns: readonly LineColumn[]) => void
}

/** Which columns the lines have beside the command. */
export const ColumnChoice = ({ columns, onChange }: ColumnChoiceProps) => (
  <Menu label="Columns" isPlain>
    {() => (
      <div role="group" aria-label="Columns">
        {LINE_COLUMNS.map((column) => (
          <label key={column} className="check">
            <input
              type="checkbox"
              checked={columns.includes(column)}
              onChange={({ target }) =>
                onChange(target.checked ? [...columns, column] : columns.filter((each) => each !== column))
              }
            />{' '}
            {COLUMN_WORDS[column]}
          </label>
        ))}
      </div>
    )}
  </Menu>
)
