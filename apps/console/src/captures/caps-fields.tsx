import { useId } from 'react'
import type { StartFields, StartProblems } from './start-input.ts'

const PRESETS = [
  ['5', '5 s'],
  ['30', '30 s'],
  ['60', '1 min'],
  ['300', '5 min'],
] as const

interface CapsFieldsProps {
  fields: StartFields
  problems: StartProblems
  onChange: (changed: Partial<StartFields>) => void
}

/** When a capture ends by itself, how much of it must begin, and why it is made. */
export const CapsFields = ({ fields, problems, onChange }: CapsFieldsProps) => (
  <>
    <fieldset>
      <legend>Until</legend>
      <div className="field-row">
        <Field label="Seconds" name="seconds" fields={fields} problems={problems} onChange={onChange} />
        <span className="presets" role="group" aria-label="Common durations">
          {PRESETS.map(([seconds, text]) => (
            <button
              key={seconds}
              type="button"
              className="plain"
              aria-pressed={fields.seconds === seconds}
              onClick={() => onChange({ seconds })}
            >
              {text}
            </button>
          ))}
        </span>
      </div>
      <div className="field-row">
        <Field
          label="or MiB, over all targets"
          name="mebibytes"
          fields={fields}
          problems={problems}
          onChange={onChange}
        />
        <Field
          label="or lines, over all targets"
          name="lines"
          fields={fields}
          problems={problems}
          onChange={onChange}
        />
      </div>
    </fieldset>
    <fieldset>
      <legend>How</legend>
      <div className="field-row">
        <span className="field">
          <label htmlFor="require">Needed to begin</label>
          <select
            id="require"
            value={fields.require}
            onChange={({ target }) => {
              const { value } = target
              if (value === 'any' || value === 'quorum' || value === 'all') onChange({ require: value })
            }}
          >
            <option value="any">any one target</option>
            <option value="quorum">more than half of the targets</option>
            <option value="all">every target</option>
          </select>
        </span>
        <Field
          label="Reason (shown as its name)"
          name="reason"
          fields={fields}
          problems={problems}
          onChange={onChange}
        />
      </div>
    </fieldset>
  </>
)

interface FieldProps extends CapsFieldsProps {
  label: string
  name: 'seconds' | 'mebibytes' | 'lines' | 'reason'
}

const Field = ({ label, name, fields, problems, onChange }: FieldProps) => {
  const id = useId()
  const problem = problems[name]
  return (
    <span className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={fields[name]}
        inputMode={name === 'reason' ? 'text' : 'decimal'}
        placeholder={name === 'mebibytes' || name === 'lines' ? 'server default' : undefined}
        maxLength={name === 'reason' ? 512 : 20}
        autoComplete="off"
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={({ target }) => onChange({ [name]: target.value })}
      />
      {problem !== undefined && (
        <span className="field-error" id={`${id}-problem`}>
          {problem}
        </span>
      )}
    </span>
  )
}
