import { useEffect, useId, useState } from 'react'
import { inert } from '../../ui/inert.ts'
import { filterProblem } from './filter-terms.ts'

interface FilterFieldProps {
  /** As it stands in the address. */
  filter: string
  onApply: (filter: string) => void
}

/** A filter to type. What is wrong with it is said while it is typed; Enter applies it, and Esc goes back to what is applied. */
export const FilterField = ({ filter, onApply }: FilterFieldProps) => {
  const id = useId()
  const [text, setText] = useState(filter)
  useEffect(() => setText(filter), [filter])
  const problem = filterProblem(text)
  const isChanged = text.trim() !== filter.trim()
  return (
    <form
      className="filter-field"
      role="search"
      aria-label="Lines"
      onSubmit={(event) => {
        event.preventDefault()
        if (problem === undefined) onApply(text.trim())
      }}
    >
      <input
        type="search"
        aria-label="Filter"
        placeholder="cmd:GET key:user:* not client:10.0.0.7"
        maxLength={4096}
        spellCheck={false}
        autoComplete="off"
        value={text}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={({ target }) => setText(target.value)}
        onKeyDown={({ key }) => key === 'Escape' && setText(filter)}
      />
      <button type="submit" className={isChanged ? 'primary' : undefined} disabled={problem !== undefined}>
        Apply
      </button>
      {problem && (
        <div id={`${id}-problem`} className="filter-problem" role="status">
          <pre aria-hidden="true">{pointedAt(text, problem.column)}</pre>
          <p className="field-error">{inert(problem.message)}</p>
        </div>
      )}
    </form>
  )
}

const BEFORE = 40
const AFTER = 24

/** The part of the filter around a column, with a mark under that column. An address can bring any text, so it is made inert. */
const pointedAt = (text: string, column: number): string => {
  const characters = Array.from(text)
  const at = column - 1
  const before = inert(characters.slice(Math.max(0, at - BEFORE), at).join(''))
  return `${before}${inert(characters.slice(at, at + AFTER).join(''))}\n${' '.repeat(before.length)}^`
}
